# Runs one command for the testbed and ends it when the testbed is gone, whatever ended that: the testbed
# holds the other end of our standard input, and the kernel closes it even after a SIGKILL.
#
#   guardian REGISTRY GRACE COMMAND [ARGUMENT…]
#
# REGISTRY: folder in which we leave a file while we run. GRACE: tenths of a second between TERM and KILL;
# with 0 there is no TERM. Our standard error is the command's log. The command's pid is written to our
# standard output; each line of our standard input names a signal to pass on; we exit as the command did.
registry=$1
grace=$2
shift 2
: >"$registry/$$"
exec 3<&0 </dev/null
"$@" >&2 3<&- &
child=$!
(
    # Standard output must close with the parent shell's, or its reader would never see the end.
    exec >&- 2>/dev/null
    while read -r signal <&3; do
        kill -s "$signal" "$child"
    done
    if [ "$grace" -gt 0 ]; then
        kill -s TERM "$child"
        # A stopped process would not see the TERM.
        kill -s CONT "$child"
    fi
    while [ "$grace" -gt 0 ] && kill -s 0 "$child"; do
        sleep 0.1
        grace=$((grace - 1))
    done
    kill -s KILL "$child"
) &
watcher=$!
exec 3<&-
# The testbed may be gone before it has read the pid.
trap '' PIPE
echo "$child"
trap - PIPE
exec >&-
wait "$child" 2>/dev/null
status=$?
kill "$watcher" 2>/dev/null
rm -f "$registry/$$"
exit "$status"
