#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "study/row.h"
#include "study/said_of_study.h"

namespace attune {

// The file of a study that makes its rows from a base: a sweep, an ablation. It has keys of its
// own; some that every row has (name, doc, seeds, metrics, …) and that win over the base's; and
// `base`, an experiment: a path relative to the file, or its keys, of which name, doc, baselines,
// claims and what is said of the study as a whole are not taken.
//
// Overrides of the command line go to the base, but for keys that rows have from the file, and for
// study.KEY=….
class StudyFile {
 public:
  // Reads the file. `own` are the keys that this kind of study has beside the common ones. Errors
  // go to the diagnostics, and are raised where the file cannot be read.
  StudyFile(const LoadOptions& load, std::string_view schema, std::vector<std::string> own,
            Diagnostics& diagnostics);

  const SaidOfStudy& said() const { return said_; }
  // An entry of the file, null where it has none.
  const Node::Entry* find(std::string_view key) const { return file_.root.find(key); }
  // Sets what stands in the file of the fields' keys; every field is an own key.
  void bind_own(FieldList& fields, Diagnostics& diagnostics) const;
  // The base, with what rows have from the file.
  Document base(Diagnostics& diagnostics) const;
  // Overrides that go to the base.
  const std::vector<std::string>& base_overrides() const { return base_overrides_; }

  // The study as it is frozen: what rows have from the file, the base resolved, the own keys as
  // they were written.
  std::string text(const Row& reference) const;

 private:
  const LoadOptions& load_;
  std::string schema_;
  std::vector<std::string> own_, base_overrides_;
  Document file_;
  SaidOfStudy said_;
};

// What a study's file says that it is, "attune/sweep@1"; empty where it cannot be read or says
// nothing. Errors are not told.
std::string schema_of(const LoadOptions& load);

// An error at an entry of the file.
void refuse(Diagnostics& diagnostics, const Node::Entry& entry, std::string message,
            std::string hint = {});

// Whether a dotted key is `other`, or one below it.
bool is_within(std::string_view key, std::string_view other);

// Lays values over a row's document: a kind drops the keys of the one before it, not of its own.
struct Change {
  std::string key;
  const Node* value;
  Origin at;
};
void lay_over(Document& document, std::span<const Change> changes, Diagnostics& diagnostics);

}  // namespace attune
