package store

// Old is what an installation of the product before this one kept in a database: JSON texts by name, as they
// lie there.
type Old struct {
	Credentials map[string][]byte // with their state and figures, by the name of the file
	Config      map[string][]byte // values by setting
	Keys        map[string][]byte // API keys
}
