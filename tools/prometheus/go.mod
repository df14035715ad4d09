module jobstartstop.example/tools/prometheus

go 1.26.0

tool github.com/prometheus/prometheus/cmd/promtool

// The newest that Go 1.26.0 builds.
require github.com/prometheus/prometheus v0.315.1
