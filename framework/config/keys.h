#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"

namespace attune {

// What is known of a key before any file is read: the answer of `attune explain`.
struct KeyInfo {
  enum class Shape { leaf, group, variant };
  std::string key;            // dotted
  Shape shape = Shape::leaf;  // a variant's `kind` is a leaf of its own
  std::string type;           // "int", "list of reals", "pre | post | none", "group"
  std::string range;          // "1..4096", ">= 0", or empty
  std::string value;          // the default as YAML, "" for a group or where it must be set
  bool nullable = false;      // null is allowed
  bool required = false;      // no default
  Role role = Role::result;
  std::string doc;
  std::vector<std::string> choices;
  std::vector<std::string>
      kinds;  // "model.kind=vit": any of them has this key; empty: it is always there

  // "int, 1..4096, default 64"
  std::string summary() const;
};

// Every key of a root and of all its alternatives. Defaults are read when it is made: make it
// before binding.
class KeyIndex {
 public:
  explicit KeyIndex(const FieldList& root);

  const std::vector<KeyInfo>& all() const { return keys_; }  // in declared order
  // One entry for each meaning: a key that differs between kinds has several.
  std::vector<const KeyInfo*> find(std::string_view dotted) const;
  // The keys directly under a group.
  std::vector<const KeyInfo*> children(std::string_view group) const;
  // The known key nearest to an unknown one, null when none is near enough to be meant.
  const KeyInfo* did_you_mean(std::string_view dotted) const;
  // The sentence for a key that does not exist: "unknown key 'modle.x'; did you mean 'model.x'?
  // (int, default 3)".
  std::string unknown(std::string_view dotted) const;

 private:
  // The one key whose last part is `name`, wherever it lives: optim.lr for train.lr.
  const KeyInfo* namesake(std::string_view name) const;
  void add(const FieldList& list, const std::string& prefix, const std::string& kind);
  void add(KeyInfo info);

  std::vector<KeyInfo> keys_;
};

}  // namespace attune
