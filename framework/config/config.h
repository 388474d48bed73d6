#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"
#include "config/diagnostics.h"
#include "config/document.h"
#include "config/keys.h"

// The way of a config: compose (files, groups, command line) → bind (into the structs) → leaves
// with origins.
//
//     Diagnostics diagnostics;
//     Document document = compose({path, overrides, library, cwd}, diagnostics);
//     check_schema(document, diagnostics);
//     if (!document.usable) diagnostics.raise();
//     MyRoot root(document.scalar("kind").value_or("train"));
//     FieldList fields;
//     root.fields(fields);
//     Binding binding = bind(document, fields, diagnostics);
//     diagnostics.raise();                        // InvalidConfig: all errors at once

namespace attune {

// A leaf in force, with where its value comes from and what it replaced.
struct BoundLeaf {
  ConfigLeaf leaf;
  Origin at;             // a default: no source
  std::vector<Was> was;  // oldest first
};

struct Binding {
  std::vector<BoundLeaf> leaves;  // depth first in declared order, as attune::leaves

  const BoundLeaf* find(std::string_view key) const;
};

// Sets every field of `root` that the document gives, checks types, ranges and choices, then runs
// the rules. Paths become absolute. Anything wrong is added to the diagnostics, and the field keeps
// its default. `schema` is skipped unless the root has such a field.
Binding bind(const Document& document, FieldList& root, Diagnostics& diagnostics);

// The resolved config as YAML in block style, which composes and binds to the same leaves. Starts
// with the schema unless the root has a field of that name.
std::string dump(const FieldList& root, std::string_view schema = "attune/experiment@1");

// The same of single leaves, in their order; keys of one group must stand together.
std::string dump(const std::vector<ConfigLeaf>& leaves,
                 std::string_view schema = "attune/experiment@1");

// A line a leaf: "model.d_model = 64   <- command line (was 48 at configs/model/tiny.yaml:3:3)".
std::string origins(const Binding& binding);
// The right side of such a line, "command line (was 48 at …)".
std::string origin_text(const BoundLeaf& leaf);

}  // namespace attune
