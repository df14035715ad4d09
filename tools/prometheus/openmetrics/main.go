// The openmetrics command reads a page of metrics from standard input with the parser that Prometheus scrapes with, and
// prints its families as JSON. A page that Prometheus would not take ends it with exit code 1 and the line at fault.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

type sample struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
	// As text: JSON has no infinity.
	Value string `json:"value"`
}

type family struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	Unit    string   `json:"unit"`
	Help    string   `json:"help"`
	Samples []sample `json:"samples"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	page, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	families, err := parse(page)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(families)
}

func parse(page []byte) ([]*family, error) {
	families := []*family{}
	// The family that is being read: the one named last, or a new one.
	current := func(belongs func(*family) bool, name string) *family {
		if n := len(families); n > 0 && belongs(families[n-1]) {
			return families[n-1]
		}
		families = append(families, &family{Name: name, Type: "unknown", Samples: []sample{}})
		return families[len(families)-1]
	}
	described := func(name []byte) *family {
		return current(func(f *family) bool { return f.Name == string(name) }, string(name))
	}

	parser := textparse.NewOpenMetricsParser(page, labels.NewSymbolTable())
	// Every entry is one line.
	for line := 1; ; line++ {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return families, nil
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		switch entry {
		case textparse.EntryType:
			name, kind := parser.Type()
			described(name).Type = string(kind)
		case textparse.EntryHelp:
			name, help := parser.Help()
			described(name).Help = string(help)
		case textparse.EntryUnit:
			name, unit := parser.Unit()
			described(name).Unit = string(unit)
		case textparse.EntrySeries:
			var all labels.Labels
			parser.Labels(&all)
			_, _, value := parser.Series()
			read := sample{
				Name:   all.Get(labels.MetricName),
				Labels: map[string]string{},
				Value:  strconv.FormatFloat(value, 'g', -1, 64),
			}
			all.Range(func(label labels.Label) {
				if label.Name != labels.MetricName {
					read.Labels[label.Name] = label.Value
				}
			})
			of := current(func(f *family) bool { return strings.HasPrefix(read.Name, f.Name) }, read.Name)
			of.Samples = append(of.Samples, read)
		default:
			return nil, fmt.Errorf("line %d: neither metadata nor a sample", line)
		}
	}
}
