#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostics.h"

namespace attune {

// One YAML value with the place it was written at.
struct Node {
  enum class Kind { null, scalar, list, map };
  struct Entry;

  Kind kind = Kind::null;
  std::string text =
      {};  // scalar: as written, without quotes; null: "null", or "" where nothing stood
  bool quoted = false;           // scalar: a quoted 5 is a text
  std::vector<Node> items = {};  // list
  std::vector<Entry> entries;    // map, in file order, no key twice
  Origin at = {};
  bool refused = false;  // what it is was told as an error already: it sets nothing

  bool is_map() const { return kind == Kind::map; }
  bool is_scalar() const { return kind == Kind::scalar; }
  // The entry of a map, or null: also when this is no map.
  Entry* find(std::string_view key);
  const Entry* find(std::string_view key) const;
  // "64", "[0, 1]", "{kind: vit, …}": for messages, cut at 60 columns.
  std::string shown() const;
};

// What a later layer replaced.
struct Was {
  std::string value;
  Origin at;
};

struct Node::Entry {
  std::string key;
  Origin at;  // of the key
  Node value;
  std::vector<Was> was = {};  // oldest first
};

struct LoadOptions {
  std::string path;                    // the study's file
  std::vector<std::string> overrides;  // a.b=1, group=option
  std::string library;  // attune's own configs, where groups are looked for last; may be empty
  std::string
      cwd;  // what relative paths on the command line are relative to; empty: the current folder
  std::optional<std::string>
      text;  // the YAML itself (of a run file); `path` then only names it in messages
  std::optional<Node> body = {};  // the file's map itself, already read; `path` as with text
};

// A study's YAML, composed: its groups, its body, the command line, in layers, later wins.
// Interpolations and `???` are resolved when it is bound.
struct Document {
  Node root;             // a map without `defaults`
  bool usable = false;   // false: the file could not be read or parsed, and the diagnostics say why
  bool complete = true;  // false: a group is missing, so that what seems unset may be set there

  // The value at a dotted key, or null.
  const Node* find(std::string_view dotted) const;
  // The scalar at a dotted key as written: what a caller peeks at (`kind`) before it knows the
  // struct to bind.
  std::optional<std::string> scalar(std::string_view dotted) const;
};

// Reads the file and the group files of its `defaults:`, applies the overrides. A group `model:
// NAME` is model/NAME.yaml beside the file, in its parents up to one named `configs`, then in the
// library; its keys land under `model`. `_self_` is the file itself, last when absent. An override
// `model=NAME` picks another file in the group's place, or adds one after the file. A later layer
// that changes a nested map's `kind` drops the other keys of the map, with a note.
Document compose(const LoadOptions& options, Diagnostics& diagnostics);

// Lays a value over what a document has at a dotted key, as a later layer does.
void set_value(Document& document, std::string_view dotted, Node value, const Origin& at,
               Diagnostics& diagnostics);

// A value on one line as YAML reads it again, "{a: [1, 'x']}". Paths and texts are as written.
std::string flow_text(const Node& value);

// The command line's key=value alone, as a document: for options that no file gives.
Document compose_overrides(const std::vector<std::string>& overrides, Diagnostics& diagnostics);

// What `schema: attune/experiment@1` asks for. Adds an error for any other schema, none, and newer
// versions. False where there is another schema: then it is unknown what the keys mean.
bool check_schema(const Document& document, Diagnostics& diagnostics);

}  // namespace attune
