// Oracle is what other programs make of a layer.
//
//	oracle estargz BLOB TOC-DIGEST   the reference implementation of eStargz
//	                                 verifies and reads everything, and writes
//	                                 one line of JSON for each entry
//	oracle gzip|zstd|none BLOB       sha256 and entries of the whole tar
package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"sort"

	"github.com/containerd/stargz-snapshotter/estargz"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
)

type entry struct {
	Name     string
	Type     string
	Mode     int64
	UID, GID int
	Modified int64
	Size     int64
	// Offset is where the content begins in the blob.
	Offset int64
	Xattrs map[string][]byte
	Digest string
}

func main() {
	var err error
	if os.Args[1] == "estargz" {
		err = readEstargz(os.Args[2], os.Args[3])
	} else {
		err = readTar(os.Args[1], os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func readEstargz(blob, want string) error {
	f, err := os.Open(blob)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	r, err := estargz.Open(io.NewSectionReader(f, 0, info.Size()))
	if err != nil {
		return err
	}
	verifier, err := r.VerifyTOC(digest.Digest(want))
	if err != nil {
		return err
	}
	root, _ := r.Lookup("")
	return walk(r, verifier, root, "")
}

func walk(r *estargz.Reader, verifier estargz.TOCEntryVerifier, dir *estargz.TOCEntry, name string) error {
	var names []string
	children := map[string]*estargz.TOCEntry{}
	dir.ForeachChild(func(base string, e *estargz.TOCEntry) bool {
		names = append(names, base)
		children[base] = e
		return true
	})
	sort.Strings(names)
	for _, base := range names {
		e, name := children[base], path.Join(name, base)
		out := entry{
			Name: name, Type: e.Type, Mode: e.Mode, UID: e.UID, GID: e.GID,
			Modified: e.ModTime().Unix(), Size: e.Size, Offset: e.Offset, Xattrs: e.Xattrs,
		}
		if e.Type == "reg" {
			sum, err := readFile(r, verifier, e, name)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			out.Digest = sum
		}
		if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
			return err
		}
		if e.Type == "dir" {
			if err := walk(r, verifier, e, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// readFile reads a file at once, and again chunk by chunk, the last one first.
func readFile(r *estargz.Reader, verifier estargz.TOCEntryVerifier, e *estargz.TOCEntry, name string) (string, error) {
	// Every read begins at the beginning of a chunk: large ones save time.
	sr, err := r.OpenFile(name)
	if err != nil {
		return "", err
	}
	content := make([]byte, e.Size)
	if n, err := sr.ReadAt(content, 0); int64(n) != e.Size {
		return "", fmt.Errorf("read %d of %d bytes: %v", n, e.Size, err)
	}
	got := fmt.Sprintf("sha256:%x", sha256.Sum256(content))
	if e.Size > 0 && e.Digest != got {
		return "", fmt.Errorf("digest is %s and the table says %s", got, e.Digest)
	}
	for end := e.Size; end > 0; {
		chunk, ok := r.ChunkEntryForOffset(name, end-1)
		if !ok {
			return "", fmt.Errorf("no chunk has byte %d", end-1)
		}
		if chunk.ChunkOffset+chunk.ChunkSize != end {
			return "", fmt.Errorf("a chunk ends at %d, not %d", chunk.ChunkOffset+chunk.ChunkSize, end)
		}
		v, err := verifier.Verifier(chunk)
		if err != nil {
			return "", err
		}
		content := make([]byte, chunk.ChunkSize)
		if n, err := sr.ReadAt(content, chunk.ChunkOffset); int64(n) != chunk.ChunkSize {
			return "", fmt.Errorf("read %d of %d bytes at %d: %v", n, chunk.ChunkSize, chunk.ChunkOffset, err)
		}
		v.Write(content)
		if !v.Verified() {
			return "", fmt.Errorf("chunk at %d is not what the table says", chunk.ChunkOffset)
		}
		end = chunk.ChunkOffset
	}
	return got, nil
}

func readTar(method, blob string) error {
	f, err := os.Open(blob)
	if err != nil {
		return err
	}
	var r io.Reader = f
	switch method {
	case "gzip":
		if r, err = gzip.NewReader(f); err != nil {
			return err
		}
	case "zstd":
		d, err := zstd.NewReader(f)
		if err != nil {
			return err
		}
		defer d.Close()
		r = d
	}
	whole := sha256.New()
	tee := io.TeeReader(r, whole)
	t := tar.NewReader(tee)
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, t); err != nil {
			return err
		}
		out := entry{
			Name: h.Name, Type: string(h.Typeflag), Mode: h.Mode, UID: h.Uid, GID: h.Gid,
			Modified: h.ModTime.Unix(), Size: h.Size, Digest: fmt.Sprintf("sha256:%x", sum.Sum(nil)),
		}
		if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, tee); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(entry{Digest: fmt.Sprintf("sha256:%x", whole.Sum(nil))})
}
