# Writes a file to the standard output and says on the error stream whether that was all of it.
# $1 file
cat "$1"
printf '\nedgeprune-code %d\n' $? >&2
