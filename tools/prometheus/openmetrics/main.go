// Command openmetrics reads a page of metrics as Prometheus does.
package main

func main() {}
