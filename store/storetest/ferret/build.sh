#!/usr/bin/env bash
# Builds the server into the file named, from a copy of FerretDB with two lines changed:
# - It looks a document up by its id only where a condition names nothing else, and goes through the whole
#   collection otherwise: batches of 2,000 counters would take minutes. Here it looks it up always; what else
#   the condition says it checks afterwards as before.
# - In a bulk write each update keeps its connection to SQLite until the last one is done, and there are 100:
#   the 101st waits for ever. Here each gives it back.
set -euo pipefail
out=$(realpath -m -- "$1")
cd "$(dirname "${BASH_SOURCE[0]}")"
half=$(mktemp -d)
trap 'rm -rf -- "$half"' EXIT
go mod download github.com/FerretDB/FerretDB
cp -r -- "$(go list -m -f '{{.Dir}}' github.com/FerretDB/FerretDB)" "$half/ferretdb"
chmod -R u+w "$half/ferretdb"
change() { # file, what sed does to it, what it has to find there afterwards
  sed -i -e "$2" "$half/ferretdb/internal/$1"
  grep -qF -- "$3" "$half/ferretdb/internal/$1" || { echo "FerretDB's $1 is not what it was" >&2; exit 1; }
}
change backends/sqlite/collection.go 's/if params\.Filter\.Len() == 1 {/if params.Filter.Has("_id") {/' 'params.Filter.Has("_id")'
change handler/msg_update.go '/result, err := common\.UpdateDocument(/a closer.Close() // gcli2api' 'closer.Close() // gcli2api'
cp go.mod go.sum "$half"
go mod edit -replace "github.com/FerretDB/FerretDB=$half/ferretdb" "$half/go.mod"
# With the flags of go vet, which so finds most of it built.
go build -ldflags '-s -w' -modfile "$half/go.mod" -o "$out" .
