// The answers of ko 0.19.1 and of kubectl's reader, one per line of input.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/ko/pkg/build"
	"github.com/google/ko/pkg/resolve"
	"go.yaml.in/yaml/v4"
	"k8s.io/apimachinery/pkg/labels"
	kubernetes "k8s.io/apimachinery/pkg/util/yaml"
)

type file struct {
	Text string // what the user wrote
	Ours string // what our splice made of it
}

type request struct {
	Files    []file
	Selector *string // as given to -l
	Stream   string  // what our manifest made of all files
}

type answer struct {
	Error string     // why ko refuses a file, or the selector
	Refs  [][]string // the references of each file, in order
	Diff  string     // how ours differs from ko's, as data
}

// Image is what a reference becomes.
func image(ref string) string {
	h := fnv.New64a()
	h.Write([]byte(ref))
	return fmt.Sprintf("registry.example.com/r%016x:v1", h.Sum64())
}

type builder struct{ refs []string }

func (b *builder) QualifyImport(ip string) (string, error) { return ip, nil }
func (b *builder) IsSupportedReference(ref string) error {
	b.refs = append(b.refs, ref)
	return nil
}
func (b *builder) Build(context.Context, string) (build.Result, error) { return nil, nil }

type publisher struct{}

func (publisher) Publish(_ context.Context, _ build.Result, ref string) (name.Reference, error) {
	return name.NewTag(image(ref))
}
func (publisher) Close() error { return nil }

func decode(text string) ([]*yaml.Node, error) {
	docs := []*yaml.Node{}
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for {
		var doc yaml.Node
		if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
			return docs, nil
		} else if err != nil {
			return nil, err
		}
		docs = append(docs, &doc)
	}
}

// Split reads a stream as kubectl does: cut first, then parse.
func split(text string) ([]*yaml.Node, error) {
	docs := []*yaml.Node{}
	reader := kubernetes.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		chunk, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return docs, nil
		} else if err != nil {
			return nil, err
		}
		more, err := decode(string(chunk))
		if err != nil {
			return nil, err
		}
		docs = append(docs, more...)
	}
}

// Data of documents in a canonical form; documents that are null do not count
// in streams.
func canonical(docs []*yaml.Node, nulls bool) string {
	var out bytes.Buffer
	for _, doc := range docs {
		if !nulls && doc.Content[0].ShortTag() == "!!null" {
			continue
		}
		write(&out, doc)
		out.WriteString("\n")
	}
	return out.String()
}

func write(out *bytes.Buffer, node *yaml.Node) {
	if node.Kind == yaml.AliasNode {
		fmt.Fprintf(out, "*%s", node.Value)
		return
	}
	fmt.Fprintf(out, "&%s %s ", node.Anchor, node.ShortTag())
	if node.Kind == yaml.ScalarNode {
		value, _ := json.Marshal(node.Value)
		out.Write(value)
		return
	}
	out.WriteString("[")
	for _, child := range node.Content {
		write(out, child)
		out.WriteString(",")
	}
	out.WriteString("]")
}

func resolved(f file, selector labels.Selector) ([]*yaml.Node, []string, error) {
	docs, err := decode(f.Text)
	if err != nil {
		return nil, nil, err
	}
	kept := []*yaml.Node{}
	for _, doc := range docs {
		if selector != nil {
			if match, err := resolve.MatchesSelector(doc, selector); err != nil {
				return nil, nil, err
			} else if !match {
				continue
			}
		}
		kept = append(kept, doc)
	}
	b := &builder{refs: []string{}}
	if err := resolve.ImageReferences(context.Background(), kept, b, publisher{}); err != nil {
		return nil, nil, err
	}
	return kept, b.refs, nil
}

func answerTo(r request) (a answer) {
	var selector labels.Selector
	if r.Selector != nil {
		var err error
		if selector, err = labels.Parse(*r.Selector); err != nil {
			a.Error = err.Error()
			return
		}
	}
	a.Refs = [][]string{}
	all := []*yaml.Node{}
	for i, f := range r.Files {
		docs, refs, err := resolved(f, selector)
		if err != nil {
			a.Error = err.Error()
			return
		}
		a.Refs = append(a.Refs, refs)
		all = append(all, docs...)
		a.compare(fmt.Sprintf("file %d", i), docs, f.Ours, decode, true)
	}
	a.compare("stream", all, r.Stream, decode, false)
	if !strings.Contains(r.Stream, "%TAG") {
		a.compare("kubectl", all, r.Stream, split, false)
	}
	return
}

func (a *answer) compare(what string, docs []*yaml.Node, ours string, read func(string) ([]*yaml.Node, error), nulls bool) {
	if a.Diff != "" {
		return
	}
	got, err := read(ours)
	if err != nil {
		a.Diff = fmt.Sprintf("%s: %v\n%s", what, err, ours)
	} else if want, got := canonical(docs, nulls), canonical(got, nulls); want != got {
		a.Diff = fmt.Sprintf("%s:\nwant %s\ngot  %s", what, want, got)
	}
}

func main() {
	decoder := json.NewDecoder(bufio.NewReader(os.Stdin))
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	for {
		var r request
		if err := decoder.Decode(&r); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			panic(err)
		}
		if err := encoder.Encode(answerTo(r)); err != nil {
			panic(err)
		}
	}
}
