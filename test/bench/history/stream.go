package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
)

const (
	// Series come one after another, so one request must stay below what a head accepts behind its newest sample: an hour.
	requestRange    = 30 * time.Minute
	targetsPerWrite = 10
)

// send writes the samples up to a moment and returns how many they were.
func send(url string, h *history, until time.Time) (int, error) {
	sent := 0
	for h.now.Before(until) {
		if h.now.Equal(h.now.Truncate(blockRange)) {
			h.replace()
		}
		end := h.now.Truncate(requestRange).Add(requestRange)
		if end.After(until) {
			end = until
		}
		for first := 0; first < len(h.targets); first += targetsPerWrite {
			request, samples := writeRequest(h, h.targets[first:min(first+targetsPerWrite, len(h.targets))], end)
			if err := post(url, request); err != nil {
				return sent, err
			}
			sent += samples
		}
		h.now = end
	}
	return sent, nil
}

func writeRequest(h *history, targets []*target, end time.Time) (*prompb.WriteRequest, int) {
	request, count := &prompb.WriteRequest{}, 0
	for _, t := range targets {
		times := h.times(t, h.now, end)
		for _, s := range t.series {
			one := prompb.TimeSeries{Samples: make([]prompb.Sample, len(times))}
			s.labels.Range(func(label labels.Label) {
				one.Labels = append(one.Labels, prompb.Label{Name: label.Name, Value: label.Value})
			})
			for i, at := range times {
				one.Samples[i] = prompb.Sample{Timestamp: at, Value: s.next()}
			}
			request.Timeseries = append(request.Timeseries, one)
			count += len(times)
		}
	}
	return request, count
}

func post(url string, write *prompb.WriteRequest) error {
	body, err := write.Marshal()
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(snappy.Encode(nil, body)))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Encoding", "snappy")
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	words, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s", answer.Status, words)
	}
	return nil
}
