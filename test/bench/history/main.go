// history makes the samples of made-up servers, without waiting for them to happen:
//
//	history blocks --out DIR --to 2026-11-16T00:00:00Z ...    two-hour blocks, as a server would have cut them
//	history stream --url URL ...                              remote-writes up to each time that standard input names, a line each
//
// The samples follow from --series, --interval, --churn and --start alone: what stream sends for an hour is what the block of
// that hour would hold, and one history can be written in parts.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"time"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("history: blocks or stream?")
	}
	var err error
	switch os.Args[1] {
	case "blocks":
		err = blocks(os.Args[2:])
	case "stream":
		err = stream(os.Args[2:])
	default:
		err = fmt.Errorf("there is no command %q: blocks or stream", os.Args[1])
	}
	if err != nil {
		log.Fatal("history: ", err)
	}
}

// common flags of both commands.
func shape(flags *flag.FlagSet) func() (*history, error) {
	series := flags.Int("series", 30000, "series that live at any time")
	interval := flags.Duration("interval", 15*time.Second, "time between two samples of a series")
	churn := flags.Duration("churn", 60*time.Hour, "mean life of a replaceable target; 0: nothing is ever replaced")
	start := flags.String("start", "", "first sample of the whole history, RFC 3339")
	from := flags.String("from", "", "first sample to write; default: --start")
	return func() (*history, error) {
		began, err := parse(*start)
		if err != nil {
			return nil, err
		}
		h := newHistory(*series, *interval, *churn, began)
		if *from != "" {
			at, err := parse(*from)
			if err != nil {
				return nil, err
			}
			h.skip(at)
		}
		return h, nil
	}
}

func parse(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, err
	}
	if !at.Equal(at.Truncate(blockRange)) {
		return at, fmt.Errorf("%s is not on the grid of %s", text, blockRange)
	}
	return at, nil
}

func blocks(arguments []string) error {
	flags := flag.NewFlagSet("blocks", flag.ExitOnError)
	out := flags.String("out", "", "directory that gets the blocks")
	to := flags.String("to", "", "end of the last block, RFC 3339")
	build := shape(flags)
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	end, err := parse(*to)
	if err != nil {
		return err
	}
	h, err := build()
	if err != nil {
		return err
	}
	if *out == "" {
		return errors.New("blocks needs --out")
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	for h.now.Before(end) {
		if err := writeBlock(*out, h); err != nil {
			return err
		}
	}
	return nil
}

func stream(arguments []string) error {
	flags := flag.NewFlagSet("stream", flag.ExitOnError)
	url := flags.String("url", "", "address of the remote-write receiver")
	build := shape(flags)
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	h, err := build()
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		until, err := time.Parse(time.RFC3339, lines.Text())
		if err != nil {
			return err
		}
		sent, err := send(*url, h, until)
		if err != nil {
			return err
		}
		fmt.Println(sent)
	}
	return lines.Err()
}
