package hotpath

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"
)

// IndexEntry is a file of the index, as GigAPI's Go client has it. Times are nanoseconds since 1970.
type IndexEntry struct {
	Layer     string
	Database  string
	Table     string
	Path      string
	SizeBytes int64
	RowCount  int64
	ChunkTime int64
	Min       any
	Max       any
	MinTime   int64
	MaxTime   int64
	WriterID  string
}

// QueryOptions says which files to ask for; zero values leave a condition out.
type QueryOptions struct {
	Folder    string
	After     time.Time
	Before    time.Time
	Iteration int
}

// TableIndex has GigAPI's operations on a table: Batch, Get, Query, and the plans of its mergers.
type TableIndex struct {
	Database string
	Table    string
	// Merge is [timeout_sec, max_size, id] by iteration; Layers are those of the table. Both are kept by Configure.
	Merge  [][]int64
	Layers map[string]Layer

	client *Client
}

// NewTableIndex has the configuration of GigAPI's tests: one layer without a name, 10 seconds and 10 MB.
func NewTableIndex(client *Client, database, table string) *TableIndex {
	return &TableIndex{
		Database: database,
		Table:    table,
		Merge:    [][]int64{{10, 10 * 1024 * 1024, 1}},
		Layers:   map[string]Layer{"": {}},
		client:   client,
	}
}

// A call takes no more.
const maxEntries = 1000

// Configure keeps how files are merged and which layers there are; the first Batch of a new table does it too.
func (t *TableIndex) Configure(ctx context.Context) error {
	_, err := t.client.ConfigureTable(ctx, t.Database, t.Table, t.Merge, t.Layers, nil)
	return err
}

// Batch adds files, then removes files, all or nothing up to 1,000; longer batches are written in such parts. It answers
// how many entries were processed.
func (t *TableIndex) Batch(ctx context.Context, add, remove []*IndexEntry) (int64, error) {
	entries := make([]Entry, 0, len(add)+len(remove))
	for _, each := range add {
		entries = append(entries, Entry{
			Cmd: "ADD", Layer: each.Layer, Database: t.Database, Table: t.Table, Path: each.Path,
			SizeBytes: each.SizeBytes, RowCount: each.RowCount, Min: each.Min, Max: each.Max, WriterID: each.WriterID,
			StrMinTime: each.MinTime, StrMaxTime: each.MaxTime, StrChunkTime: each.ChunkTime,
		})
	}
	for _, each := range remove {
		entries = append(entries, Entry{Cmd: "DELETE", Layer: each.Layer, Path: each.Path, WriterID: each.WriterID})
	}
	var done int64
	for len(entries) > 0 {
		part := entries[:min(len(entries), maxEntries)]
		entries = entries[len(part):]
		processed, err := t.patch(ctx, part)
		done += processed
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

func (t *TableIndex) patch(ctx context.Context, part []Entry) (int64, error) {
	processed, err := t.client.PatchIndex(ctx, t.Database, t.Table, part, nil)
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "is not configured") {
		return processed, err
	}
	if err := t.Configure(ctx); err != nil {
		return 0, err
	}
	return t.client.PatchIndex(ctx, t.Database, t.Table, part, nil)
}

// Get is the entry of a file, or nil.
func (t *TableIndex) Get(ctx context.Context, path string) (*IndexEntry, error) {
	stored, err := t.client.GetEntry(ctx, t.Database, t.Table, path)
	if err != nil || stored == nil {
		return nil, err
	}
	return t.entry(*stored), nil
}

// Query goes through the files that are asked for, page by page; each comes once.
func (t *TableIndex) Query(ctx context.Context, options QueryOptions) iter.Seq2[*IndexEntry, error] {
	question := &QueryIndexOptions{Folder: options.Folder, Iteration: int64(options.Iteration)}
	if !options.After.IsZero() {
		question.After = options.After.UnixNano()
	}
	if !options.Before.IsZero() {
		question.Before = options.Before.UnixNano()
	}
	return func(yield func(*IndexEntry, error) bool) {
		seen := map[string]bool{}
		for stored, err := range t.client.AllQueryIndex(ctx, t.Database, t.Table, question) {
			if err != nil {
				yield(nil, err)
				return
			}
			if seen[stored.Path] {
				continue
			}
			seen[stored.Path] = true
			if !yield(t.entry(stored), nil) {
				return
			}
		}
	}
}

// GetMergePlan takes the next merge plan that is ripe, for half an hour, or nil.
func (t *TableIndex) GetMergePlan(ctx context.Context, layer string, iteration int, writer string) (*MergePlan, error) {
	return t.client.GetMergePlan(ctx, t.Database, t.Table, int64(iteration), layer, writer, nil)
}

// EndMerge ends a plan that was carried out; false if there is no such plan (any more).
func (t *TableIndex) EndMerge(ctx context.Context, plan *MergePlan) (bool, error) {
	err := t.client.EndMerge(ctx, t.Database, t.Table, plan.ID, nil)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (t *TableIndex) entry(stored EntryStored) *IndexEntry {
	return &IndexEntry{
		Layer: stored.Layer, Database: t.Database, Table: t.Table, Path: stored.Path,
		SizeBytes: stored.SizeBytes, RowCount: stored.RowCount, Min: stored.Min, Max: stored.Max,
		MinTime: stored.StrMinTime, MaxTime: stored.StrMaxTime, ChunkTime: stored.StrChunkTime, WriterID: stored.WriterID,
	}
}
