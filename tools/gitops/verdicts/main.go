// Command verdicts tells what Argo CD and Flux make of objects.
//
// It reads objects as JSON from standard input, one after another, and prints a verdict for each, one a line. The
// folder that it is given has health scripts in the layout of Argo CD's resource_customizations:
// <group>/<Kind>/health.lua.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type judgement struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

type verdict struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	// What Flux and Helm wait by.
	Kstatus judgement `json:"kstatus"`
	// What the script returns.
	Script judgement `json:"script"`
	// What Argo CD shows: the script's word, except for what is being deleted, of which it asks none.
	Argo judgement `json:"argo"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: verdicts FOLDER <OBJECTS, where FOLDER has <group>/<Kind>/health.lua")
		os.Exit(2)
	}
	if err := judgeAll(os.Args[1], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func judgeAll(folder string, from io.Reader, to io.Writer) error {
	objects := json.NewDecoder(bufio.NewReader(from))
	verdicts := json.NewEncoder(to)
	for {
		var text json.RawMessage
		if err := objects.Decode(&text); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading an object: %w", err)
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(text); err != nil {
			return fmt.Errorf("reading an object: %w", err)
		}
		judged, err := judge(folder, object)
		if err != nil {
			return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
		if err := verdicts.Encode(judged); err != nil {
			return err
		}
	}
}

func judge(folder string, object *unstructured.Unstructured) (verdict, error) {
	computed, err := status.Compute(object)
	if err != nil {
		return verdict{}, err
	}
	script, err := health(folder, object)
	if err != nil {
		return verdict{}, err
	}
	shown := script
	if object.GetDeletionTimestamp() != nil {
		shown = judgement{Status: "Progressing", Message: "Pending deletion"}
	}
	return verdict{
		Kind:    object.GetKind(),
		Name:    object.GetName(),
		Kstatus: judgement{Status: computed.Status.String(), Message: computed.Message},
		Script:  script,
		Argo:    shown,
	}, nil
}
