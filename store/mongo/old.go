package mongo

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"gcli2api/pipeline/wire"
	"gcli2api/store"
)

// oldCollection is where the product before this one kept everything, in three documents.
const oldCollection = "credentials_data"

// ReadOld reads what the product before this one kept in a database; nothing of it is changed. Where there is
// nothing, all is empty.
func ReadOld(ctx context.Context, o Options) (old store.Old, err error) {
	db := newDB(o)
	if err := db.connect(o); err != nil {
		return old, err
	}
	defer db.disconnect()
	for key, into := range map[string]*map[string][]byte{
		"all_credentials": &old.Credentials, "config_data": &old.Config, "api_keys_data": &old.Keys,
	} {
		if *into, err = db.oldPart(ctx, key); err != nil {
			return store.Old{}, err
		}
	}
	return old, nil
}

// oldPart reads one of the documents. It may have 16 MB, so that it takes longer than a call of ours.
func (db *DB) oldPart(ctx context.Context, key string) (map[string][]byte, error) {
	ctx, done, err := db.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	part := map[string][]byte{}
	raw, err := db.docs.Database().Collection(oldCollection).FindOne(ctx, bson.M{"key": key}).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return part, nil
	}
	if err != nil {
		return nil, db.failed(ctx, err)
	}
	data, ok := raw.Lookup("data").DocumentOK()
	if !ok {
		return nil, fmt.Errorf("the document %q of %s in MongoDB has no data as the old product wrote them", key, oldCollection)
	}
	fields, err := data.Elements()
	if err = errors.Join(err, data.Validate()); err != nil {
		return nil, fmt.Errorf("the document %q of %s in MongoDB: %w", key, oldCollection, err)
	}
	for _, f := range fields {
		text, err := appendJSON(nil, f.Value())
		if err != nil {
			return nil, fmt.Errorf("the document %q of %s in MongoDB: %q: %w", key, oldCollection, f.Key(), err)
		}
		part[f.Key()] = text
	}
	return part, nil
}

// appendJSON writes a value as the JSON that it was made of: numbers as numbers, dates as RFC 3339, ids in
// hex. A number that JSON does not have is null.
func appendJSON(to []byte, v bson.RawValue) ([]byte, error) {
	switch v.Type {
	case bson.TypeEmbeddedDocument:
		return appendObject(to, v.Document())
	case bson.TypeArray:
		return appendArray(to, v.Array())
	case bson.TypeString:
		return quoted(to, v.StringValue()), nil
	case bson.TypeSymbol:
		return quoted(to, v.Symbol()), nil
	case bson.TypeBoolean:
		return strconv.AppendBool(to, v.Boolean()), nil
	case bson.TypeInt32:
		return strconv.AppendInt(to, int64(v.Int32()), 10), nil
	case bson.TypeInt64:
		return strconv.AppendInt(to, v.Int64(), 10), nil
	case bson.TypeDouble:
		return appendDouble(to, v.Double()), nil
	case bson.TypeDecimal128:
		return appendDecimal(to, v.Decimal128()), nil
	case bson.TypeDateTime:
		return quoted(to, time.UnixMilli(v.DateTime()).UTC().Format(time.RFC3339Nano)), nil
	case bson.TypeObjectID:
		return quoted(to, v.ObjectID().Hex()), nil
	case bson.TypeBinary:
		_, data := v.Binary()
		return quoted(to, base64.StdEncoding.EncodeToString(data)), nil
	case bson.TypeNull, bson.TypeUndefined:
		return append(to, "null"...), nil
	}
	return nil, fmt.Errorf("a value of type %s has no JSON", v.Type)
}

func quoted(to []byte, s string) []byte {
	return wire.AppendQuoted(to, strings.ToValidUTF8(s, "\ufffd"))
}

func appendDouble(to []byte, f float64) []byte {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return append(to, "null"...)
	case f == math.Trunc(f) && math.Abs(f) < 1<<53:
		return strconv.AppendFloat(to, f, 'f', 1, 64) // what was no whole number's type stays none
	}
	how := byte('f')
	if abs := math.Abs(f); abs < 1e-6 || abs >= 1e21 {
		how = 'e'
	}
	return strconv.AppendFloat(to, f, how, -1, 64)
}

func appendDecimal(to []byte, d bson.Decimal128) []byte {
	if d.IsNaN() || d.IsInf() != 0 {
		return append(to, "null"...)
	}
	return append(to, d.String()...)
}

func appendObject(to []byte, doc bson.Raw) ([]byte, error) {
	fields, err := doc.Elements()
	if err != nil {
		return nil, err
	}
	to = append(to, '{')
	for i, f := range fields {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(quoted(to, f.Key()), ':')
		if to, err = appendJSON(to, f.Value()); err != nil {
			return nil, fmt.Errorf("%q: %w", f.Key(), err)
		}
	}
	return append(to, '}'), nil
}

func appendArray(to []byte, list bson.RawArray) ([]byte, error) {
	values, err := list.Values()
	if err != nil {
		return nil, err
	}
	to = append(to, '[')
	for i, v := range values {
		if i > 0 {
			to = append(to, ',')
		}
		if to, err = appendJSON(to, v); err != nil {
			return nil, err
		}
	}
	return append(to, ']'), nil
}
