# Runs one program in the working directory and says its exit code on the error stream behind all it wrote there.
# The program is killed when the standard input ends, or its time is over although nobody saw the line break.
# $1 working directory, $2 seconds, then the program and its arguments
cd "$1" || exit 1
mark=$1/.run-$$ limit=
# An old busybox spells this in another way.
timeout 9 true 2>/dev/null && limit="timeout $2"
shift 2
exec 3<&0 4>&2 </dev/null
if command -v setsid >/dev/null; then setsid "$@" 3<&- 4>&- & else "$@" 3<&- 4>&- & fi
program=$!
exec >/dev/null 2>&1
echo $program >"$mark"
stop() { kill -9 -- -$program || kill -9 $program; }
{ $limit cat <&3 4>&-; stop; } 4>&- &
watch=$!
# Set last, for the watcher would inherit it.
trap stop HUP INT TERM
wait $program
code=$?
# What is left of it ends with the input, that is with this connection.
kill -9 $watch
rm -f "$mark"
printf '\nedgeprune-code %d\n' $code >&4
