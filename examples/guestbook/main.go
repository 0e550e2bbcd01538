// Command guestbook serves the files of its kodata, keeps what visitors write
// in memory, and tells about the image that it runs in.
//
//	GET  /          the files below kodata/static
//	GET  /entries   what visitors wrote, as JSON
//	POST /entries   one more entry: the body
//	GET  /about     version, user, time zone and TLS roots of the image, as JSON
package main

import (
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// version is set by -ldflags='-X main.version=…'.
var version = "dev"

// maxEntry is how long an entry may be, in bytes.
const maxEntry = 1 << 10

type guestbook struct {
	mu      sync.Mutex
	entries []string
}

func (g *guestbook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEntry))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		g.entries = append(g.entries, strings.TrimSpace(string(body)))
	}
	writeJSON(w, g.entries)
}

func about(w http.ResponseWriter, _ *http.Request) {
	facts := map[string]any{
		"version":      version,
		"platform":     runtime.GOOS + "/" + runtime.GOARCH,
		"user":         os.Getuid(),
		"KO_DATA_PATH": os.Getenv("KO_DATA_PATH"),
	}
	if zone, err := time.LoadLocation("Europe/Zurich"); err != nil {
		facts["zone"] = err.Error()
	} else {
		facts["zone"] = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC).In(zone).Format(time.RFC3339)
	}
	if roots, err := x509.SystemCertPool(); err != nil {
		facts["roots"] = err.Error()
	} else {
		facts["roots"] = !roots.Equal(x509.NewCertPool())
	}
	writeJSON(w, facts)
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		log.Print(err)
	}
}

func main() {
	address := os.Getenv("ADDRESS")
	if address == "" {
		address = ":8080"
	}
	static := filepath.Join(os.Getenv("KO_DATA_PATH"), "static")
	http.Handle("/", http.FileServer(http.Dir(static)))
	http.Handle("/entries", &guestbook{})
	http.HandleFunc("GET /about", about)
	log.Printf("guestbook %s on %s", version, address)
	log.Fatal(http.ListenAndServe(address, nil))
}
