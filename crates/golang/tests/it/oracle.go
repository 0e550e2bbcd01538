// Runs templates through Go's text/template over data shaped like ko's. Reads
// a JSON list of templates, writes a JSON list of answers.
package main

import (
	"encoding/json"
	"os"
	"strings"
	"text/template"
	"time"
)

type answer struct {
	Output string
	Error  string
}

func main() {
	var input struct {
		Env, GoEnv map[string]string
		Time       int64
		Branch     string
		Commit     string
		CommitTime int64
		Templates  []string
	}
	if err := json.NewDecoder(os.Stdin).Decode(&input); err != nil {
		panic(err)
	}
	date := func(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }
	data := map[string]any{
		"Env":       input.Env,
		"GoEnv":     input.GoEnv,
		"Date":      date(input.Time),
		"Timestamp": input.Time,
		"Git": map[string]any{
			"Branch":          input.Branch,
			"Tag":             "v1.2.3",
			"ShortCommit":     input.Commit[:7],
			"FullCommit":      input.Commit,
			"CommitDate":      date(input.CommitTime),
			"CommitTimestamp": input.CommitTime,
			"IsDirty":         true,
			"IsClean":         false,
			"TreeState":       "dirty",
		},
	}
	answers := []answer{}
	for _, text := range input.Templates {
		var out strings.Builder
		parsed, err := template.New("argsTmpl").Option("missingkey=error").Parse(text)
		if err == nil {
			err = parsed.Execute(&out, data)
		}
		if err != nil {
			answers = append(answers, answer{Error: err.Error()})
		} else {
			answers = append(answers, answer{Output: out.String()})
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		panic(err)
	}
}
