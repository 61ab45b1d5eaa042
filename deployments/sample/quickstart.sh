#!/bin/sh
# A folder becomes searchable, one document changes, and only what changed is embedded again.
set -eu
openbook=$1
sample=$(dirname "$0")
drop=${OPENBOOK_HOME:-$HOME/.openbook}/sample
question="how often is the shaft of a stored pump turned?"

show() {
    printf '\n\033[1m$ openbook %s\033[0m\n' "$*"
    "$openbook" "$@"
}

mkdir -p "$drop"
cp -R "$sample"/drop/. "$drop"
show ingest "$drop" --collection sample
show search "$question" -k 2 --collection sample
cp -R "$sample"/edits/. "$drop"
printf '\n%s\n' "One document was edited:"
show ingest "$drop" --collection sample
show search "$question" -k 1 --collection sample
show status
printf '\n%s\n' "Now your own: $openbook ingest PATH, then $openbook search \"a question\"."
