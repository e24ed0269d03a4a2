# Runs one program in the working directory and says its exit code on the error stream behind all it wrote there.
# The program is killed when the standard input ends or its time is over.
# $1 working directory, $2 seconds, then the program and its arguments
cd "$1" || exit 1
mark=$1/.run-$$ limit=$2
shift 2
exec 3<&0 4>&2 </dev/null
if command -v setsid >/dev/null; then setsid "$@" 3<&- 4>&- & else "$@" 3<&- 4>&- & fi
program=$!
exec >/dev/null 2>&1
echo $program >"$mark"
stop() { kill -9 -- -$program || kill -9 $program; }
{ while read -r line; do :; done; stop; } <&3 4>&- &
watch=$!
# In slices, so that a shell which dies before it can end its own sleep leaves it for seconds only.
{
    trap 'kill -9 $!; exit' TERM
    while [ "$limit" -gt 0 ]; do sleep $((limit < 5 ? limit : 5)) & wait $!; limit=$((limit - 5)); done
    stop
} 3<&- 4>&- &
clock=$!
wait $program
code=$?
kill $watch $clock
rm -f "$mark"
printf '\nedgeprune-code %d\n' $code >&4
