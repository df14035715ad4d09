module jobstartstop.example/tools/prometheus

go 1.26.0
