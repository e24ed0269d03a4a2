# Holds a board for one user: takes the lock, makes a working directory, and waits until its standard input ends
# (the user is done, or was killed, or the line broke). Then nothing of it is left running or lying there.
# $1 directory to work under (empty: the usual one), $2 yes: lock the board, $3 seconds to wait for it, $4 who asks
fail() { echo "failed $*"; exit 1; }
usable() { [ -d "$1" ] && [ -w "$1" ]; }
usual=/tmp
usable $usual || usual=/data/local/tmp
base=${1:-$usual} locks=${EDGEPRUNE_LOCK_DIRECTORY:-$usual}/edgeprune-lock dir=
usable "$base" || fail "$base is no directory that can be written"
finish() {
    trap '' HUP INT TERM PIPE
    [ -n "$dir" ] || return
    for run in "$dir"/.run-*; do
        [ -f "$run" ] && read -r pid <"$run" && { kill -9 -- "-$pid" || kill -9 "$pid"; } 2>/dev/null
    done
    rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM PIPE
if [ "$2" = yes ]; then
    command -v flock >/dev/null || fail "there is no flock program to keep two users apart; install it, or give the address ?lock=no"
    # All users of the board share this directory. Files in it are made new, never opened for writing.
    (umask 0; mkdir -p "$locks"; set -C; : >"$locks/lock") 2>/dev/null
    { exec 9<"$locks/lock"; } 2>/dev/null || fail "$locks/lock cannot be opened"
    # Who waits disturbs who measures: the pauses grow. Each line also shows whether there is still somebody to tell.
    waited=0 nap=1
    until flock -n 0 <&9; do
        [ "$waited" -lt "$3" ] || fail "busy: $(cat "$locks/owner" 2>/dev/null) holds it"
        echo "waiting $(cat "$locks/owner" 2>/dev/null)" || exit 1
        sleep $nap; waited=$((waited + nap)) nap=$((nap < 8 ? nap * 2 : 8))
    done
    rm -f "$locks/owner"; (umask 022; set -C; echo "$4" >"$locks/owner") 2>/dev/null
fi
umask 077
dir=$(mktemp -d "$base/edgeprune-XXXXXX" 2>&1) || { why=$dir dir=; fail "no working directory: $why"; }
echo "ready $(uname -m) $dir"
cat >/dev/null
