package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Argo CD ends a script after this time.
const longest = time.Second

var healths = []string{"Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown"}

// health runs the script for an object's kind with no more than Argo CD gives to scripts of its users: neither strings
// nor files, and not the one clock that it has beside these.
func health(folder string, object *unstructured.Unstructured) (judgement, error) {
	kind := object.GroupVersionKind()
	script, err := os.ReadFile(filepath.Join(folder, kind.Group, kind.Kind, "health.lua"))
	if err != nil {
		return judgement{}, err
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	libraries := []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage},
		{lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable},
	}
	for _, library := range libraries {
		call := lua.P{Fn: state.NewFunction(library.open), Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return judgement{}, err
		}
	}
	soon, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	state.SetContext(soon)
	state.SetGlobal("obj", toLua(state, object.Object))
	if err := state.DoString(string(script)); err != nil {
		return judgement{}, err
	}
	return returned(state)
}

func returned(state *lua.LState) (judgement, error) {
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return judgement{}, fmt.Errorf("the script returned a %s, not a table", state.Get(-1).Type())
	}
	status, ok := table.RawGetString("status").(lua.LString)
	if !ok || !slices.Contains(healths, string(status)) {
		return judgement{}, fmt.Errorf("%v is none of %v", table.RawGetString("status"), healths)
	}
	message, ok := table.RawGetString("message").(lua.LString)
	if !ok {
		return judgement{}, fmt.Errorf("%s without a message", status)
	}
	return judgement{Status: string(status), Message: string(message)}, nil
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case string:
		return lua.LString(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case []any:
		table := state.NewTable()
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, item := range value {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}
