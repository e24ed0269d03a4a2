# Writes the standard input to a file and says 0 on the error stream once it is there as a whole.
# $1 file, $2 its mode, $3 its size in bytes: input that ends early is a line that broke
{ cat >"$1.part" && [ "$(wc -c <"$1.part")" -eq "$3" ] && chmod "$2" "$1.part" && mv -f "$1.part" "$1"; } ||
    { rm -f "$1.part"; printf '\nedgeprune-code 1\n' >&2; exit 1; }
printf '\nedgeprune-code 0\n' >&2
