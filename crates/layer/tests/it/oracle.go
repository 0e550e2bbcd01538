// Oracle is what Go itself makes of tar entries and gzip files.
//
//	oracle tar < ENTRIES.json    writes one result per line of JSON
//	oracle gunzip FILE           wants one gzip member and writes its sha256
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

type entry struct {
	Name  []byte
	Dir   bool
	Size  int64
	Body  []byte
	Mode  int64
	UID   int
	GID   int
	Mtime int64
	Pax   map[string][]byte
}

// header is what ko gives to archive/tar.
func (e *entry) header() *tar.Header {
	h := &tar.Header{
		Name:     string(e.Name),
		Typeflag: tar.TypeReg,
		Size:     e.Size,
		Mode:     e.Mode,
		Uid:      e.UID,
		Gid:      e.GID,
		ModTime:  time.Unix(e.Mtime, 0),
	}
	if e.Dir {
		h.Typeflag = tar.TypeDir
	}
	for key, value := range e.Pax {
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords[key] = string(value)
	}
	return h
}

type request struct {
	// Headers are written each on its own and without a body.
	Headers []*entry
	// Archive is written as a whole.
	Archive []*entry
}

type response struct {
	// Headers are in hex; empty where Go refuses.
	Headers []string
	Archive string
}

func main() {
	check(run())
}

func run() error {
	if os.Args[1] == "gunzip" {
		return gunzip(os.Args[2])
	}
	var req request
	var resp response
	if err := json.NewDecoder(os.Stdin).Decode(&req); err != nil {
		return err
	}
	for _, e := range req.Headers {
		var buf bytes.Buffer
		if err := tar.NewWriter(&buf).WriteHeader(e.header()); err != nil {
			buf.Reset()
		}
		resp.Headers = append(resp.Headers, hex.EncodeToString(buf.Bytes()))
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range req.Archive {
		e.Size = int64(len(e.Body))
		if err := w.WriteHeader(e.header()); err != nil {
			return err
		}
		if _, err := w.Write(e.Body); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	resp.Archive = hex.EncodeToString(buf.Bytes())
	return json.NewEncoder(os.Stdout).Encode(&resp)
}

func gunzip(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	rest := bytes.NewReader(data)
	r, err := gzip.NewReader(rest)
	if err != nil {
		return err
	}
	r.Multistream(false)
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return err
	}
	if rest.Len() > 0 {
		return fmt.Errorf("%d bytes after the first member", rest.Len())
	}
	fmt.Printf("sha256:%x\n", sum.Sum(nil))
	return nil
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
