#pragma once

#include <memory>
#include <optional>
#include <string>

#include "config/document.h"

namespace attune {

// A file's text as a source: byte order mark and CRLF taken off, split into lines. Reads at most 1
// MB.
struct LoadedText {
  std::shared_ptr<Source> source;
  std::string text;
};
LoadedText make_source(std::string name, std::string folder, int order, std::string text);

// Parses one YAML document whose root is a map. Refused, each with its place: what is no UTF-8,
// tabs in the indentation, control characters, several documents, duplicate keys, `<<`, anchors,
// aliases, tags, keys that YAML 1.1 reads as booleans, unquoted ${…} inside flow collections,
// nesting deeper than 32, more than 1 MB or 50,000 values. Returns nothing when the text cannot be
// used at all; with duplicate or boolean keys, anchors, aliases and tags it can, so that all other
// errors are told, too.
std::optional<Node> parse_document(const LoadedText& loaded, Diagnostics& diagnostics);

// Parses a value as it stands after `key=` on the command line: flow collections and quoted texts
// are YAML, anything else is taken letter by letter. Every node gets the origin `at`; `token` is
// the argument, for messages.
std::optional<Node> parse_value(const std::string& value, const std::string& token,
                                const Origin& at, Diagnostics& diagnostics);

}  // namespace attune
