module jobstartstop.example/tools/prometheus

go 1.26.0

// Build with -tags remove_all_sd: promtool then comes without the clients of a dozen clouds, which it needs for none of
// the commands used here.
tool github.com/prometheus/prometheus/cmd/promtool

// The newest that Go 1.26.0 builds.
require github.com/prometheus/prometheus v0.315.1
