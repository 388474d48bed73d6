#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "train/kind.h"

namespace attune {

// Replicates of a measurement: every trial so many times, on the same seed.
struct Repeats {
  enum class Order { interleaved, blocked };
  Index count = 1;
  Order order = Order::interleaved;

  void fields(FieldList& f);
};

// The root of a study's file: what every kind has, and the keys of the kind.
class StudyOptions {
 public:
  explicit StudyOptions(const Kind& kind);

  std::string name, doc;
  std::vector<std::string> baselines;
  std::optional<Repeats> repeats;

  // As given; else 0 to 2, and 0 alone where measurements are repeated.
  std::vector<Index> seeds() const;

  void fields(FieldList& f);
  const Kind& kind() const { return *kind_; }
  const KindOptions& options() const { return *options_; }

 private:
  const Kind* kind_;
  std::unique_ptr<KindOptions> options_;
  std::optional<std::vector<Index>> seeds_;
};

inline constexpr const char* kReferenceRow = "reference";

// One config of a study, checked and bound: what its trials do at every seed and fold. A sweep or
// an ablation makes each of its rows by binding the base document with other values.
struct Row {
  std::string name = kReferenceRow;
  std::unique_ptr<StudyOptions> options;
  std::unique_ptr<FieldList> fields;                // of *options
  Binding binding;                                  // every leaf with its origin
  std::map<std::string, std::string> factors = {};  // of an ablation: factor → level

  const Kind& kind() const { return options->kind(); }
  const KindOptions& kind_options() const { return options->options(); }
  std::vector<ConfigLeaf> config() const;
};

// The kind that a document asks for; where it says none, which bind_row() tells, the first.
// ConfigError where there is none of that name.
const Kind& kind_of(const Document& document, std::span<const Kind> kinds,
                    Diagnostics& diagnostics);

// The row that a document describes; what is wrong is added to the diagnostics.
Row bind_row(const std::string& name, const Document& document, const Kind& kind,
             Diagnostics& diagnostics);

// A row of kind `baseline` for each name under `baselines`: its config is the reference's `data`,
// of which it has the keys that can reach a baseline, and baseline.name. So its identity moves with
// neither model nor resizing. Names that are no baseline's, or come twice, are errors.
std::vector<Row> baseline_rows(const Row& reference, std::span<const Kind> kinds,
                               Diagnostics& diagnostics);

}  // namespace attune
