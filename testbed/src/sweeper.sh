# Removes a run's folder once the testbed that made it is gone (the end of our standard input) and the
# guardians, which leave a file in REGISTRY while they run, have ended their processes.
#
#   sweeper FOLDER REGISTRY
while read -r _; do :; done
patience=150
while [ "$patience" -gt 0 ] && [ -n "$(ls "$2" 2>/dev/null)" ]; do
    sleep 0.1
    patience=$((patience - 1))
done
rm -rf "$1"
