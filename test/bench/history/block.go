package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/index"
	"github.com/prometheus/prometheus/tsdb/tombstones"
)

const samplesPerChunk = 120 // as a server cuts them

// writeBlock writes the next block of the history, of level 1, and moves the history on.
func writeBlock(out string, h *history) error {
	h.replace()
	from, to := h.now, h.now.Add(blockRange)
	// A server cuts a block when its head spans three hours, which is one hour after the block's end.
	id, err := ulid.New(ulid.Timestamp(to.Add(blockRange/2)), rand.Reader)
	if err != nil {
		return err
	}
	meta := tsdb.BlockMeta{ULID: id, MinTime: from.UnixMilli(), MaxTime: to.UnixMilli(), Version: 1,
		Compaction: tsdb.BlockMetaCompaction{Level: 1, Sources: []ulid.ULID{id}}}
	directory := filepath.Join(out, id.String()+".tmp-for-creation")
	encoded, err := encode(h)
	if err != nil {
		return err
	}
	if err := writeSeries(directory, h.sorted(), encoded, &meta.Stats); err != nil {
		return err
	}
	// A snapshot fails on a block without this file.
	if _, err := tombstones.WriteFile(slog.New(slog.NewTextHandler(io.Discard, nil)), directory, tombstones.NewMemTombstones()); err != nil {
		return err
	}
	text, err := json.MarshalIndent(meta, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(directory, "meta.json"), text, 0o644); err != nil {
		return err
	}
	h.now = to
	return os.Rename(directory, filepath.Join(out, id.String()))
}

// encode makes the chunks of every series for the block that begins now.
func encode(h *history) (map[*series][]chunks.Meta, error) {
	all := map[*series][]chunks.Meta{}
	var lock sync.Mutex
	var failed error
	h.each(func(t *target) {
		times := h.times(t, h.now, h.now.Add(blockRange))
		for _, s := range t.series {
			metas, err := encodeSeries(s, times)
			lock.Lock()
			all[s] = metas
			if err != nil {
				failed = err
			}
			lock.Unlock()
		}
	})
	return all, failed
}

func encodeSeries(s *series, times []int64) ([]chunks.Meta, error) {
	var metas []chunks.Meta
	for part := range slices.Chunk(times, samplesPerChunk) {
		chunk := chunkenc.NewXORChunk()
		appender, err := chunk.Appender()
		if err != nil {
			return nil, err
		}
		for _, at := range part {
			appender.Append(at, s.next())
		}
		chunk.Compact()
		metas = append(metas, chunks.Meta{MinTime: part[0], MaxTime: part[len(part)-1], Chunk: chunk})
	}
	return metas, nil
}

func writeSeries(directory string, all []*series, encoded map[*series][]chunks.Meta, stats *tsdb.BlockStats) error {
	chunkWriter, err := chunks.NewWriter(filepath.Join(directory, "chunks"))
	if err != nil {
		return err
	}
	indexWriter, err := index.NewWriter(context.Background(), filepath.Join(directory, "index"))
	if err != nil {
		return err
	}
	for _, symbol := range symbols(all) {
		if err := indexWriter.AddSymbol(symbol); err != nil {
			return err
		}
	}
	for _, s := range all {
		metas := encoded[s]
		if err := chunkWriter.WriteChunks(metas...); err != nil {
			return err
		}
		if err := indexWriter.AddSeries(storage.SeriesRef(stats.NumSeries), s.labels, metas...); err != nil {
			return err
		}
		stats.NumSeries++
		stats.NumChunks += uint64(len(metas))
		for _, meta := range metas {
			stats.NumSamples += uint64(meta.Chunk.NumSamples())
		}
	}
	if err := chunkWriter.Close(); err != nil {
		return err
	}
	return indexWriter.Close()
}

func symbols(all []*series) []string {
	seen := map[string]struct{}{}
	for _, s := range all {
		s.labels.Range(func(label labels.Label) {
			seen[label.Name], seen[label.Value] = struct{}{}, struct{}{}
		})
	}
	sorted := make([]string, 0, len(seen))
	for symbol := range seen {
		sorted = append(sorted, symbol)
	}
	slices.Sort(sorted)
	return sorted
}
