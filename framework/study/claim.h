#pragma once

#include <optional>
#include <string>
#include <vector>

#include "study/scalar.h"
#include "study/selector.h"
#include "study/study_config.h"

namespace attune {

// Rows whose mean stands on one side of an estimand, or of which the best one does.
struct Side {
  std::vector<const Row*> rows;
};

// What is compared at one value of a slope's axis; of other estimands there is one cell.
struct Cell {
  double x = 0;
  Side of;
  Side against;  // what is subtracted, or divided by
};

// A quantity over recorded scalars, one value a replicate.
//   {mean: S} {median: S} {max: S} {min: S}                 of: SEL (default: the reference)
//   {difference: S, of: SEL, minus: SEL} {ratio: S, of: SEL, over: SEL}
//   {fraction: S, above: x}                                 of the replicates
//   {slope: S, against: KEY, scale: …} {slope: {difference: S, of: SEL, minus: SEL}, against: KEY}
//   {spearman: S, against: KEY}
// `where: SEL` holds for every selector; average_over: [KEY, …] takes the mean of rows that differ
// in these keys; at: own_best takes on each side the row that select.by prefers.
struct Estimand {
  enum class Kind { mean, median, max, min, difference, ratio, fraction, slope, spearman };
  enum class Scale { linear, log_log, linear_log };  // of x and y; linear_log: y over ln x
  Kind kind = Kind::mean;
  Scalar scalar;
  bool paired = false;  // cells have two sides
  bool own_best = false;
  std::optional<double> above, below;  // fraction: what counts
  std::string against;                 // slope, spearman: the key
  Scale scale = Scale::linear;
  std::vector<Cell> cells;
  std::string words;  // "val/loss, optim.lr=0.001 minus optim.lr=0.003"
};

// {above: x} | {below: x} | {between: [a, b]} | {equal: x}, with sign_only: true where x is 0; or
// {formula: NAME, with: {…}, tolerance: t}, which is between f − t and f + t.
struct Region {
  std::optional<double> low, high;  // none: unbounded
  bool equal = false;               // low = high, in every replicate
  bool sign_only = false;
  std::string formula = {};  // its name; empty: none
  double tolerance = 0;

  bool inside(double low_, double high_) const;
  bool outside(double low_, double high_) const;
  // "above 0.01", "between -0.02 and 0.02"
  std::string words() const;
};

// A statement with the region that its estimand is expected in. Rules and words:
// docs/statistics.md.
struct Claim {
  enum class Failed { undecided, value, drop };
  enum class Over { all_there_is, seeds, training_sets };
  std::string id, says, source, known = "supported";
  Origin at;
  Estimand estimand;
  Region expect;
  Failed if_failed = Failed::undecided;
  double failed_value = 0;
  Over over = Over::all_there_is;
  std::string estimand_text, expect_text;  // as they were written, on one line
  // Of what the verdict depends on: two claims of one hash are the same claim.
  std::string hash;

  // exact: holds of every replicate and element, or not. formula: compared with a closed form.
  enum class Kind { exact, formula, trained };
  Kind kind() const;
  std::string kind_name() const;
};

// Claim::hash of a claim as it stands in a file.
std::string hash_of_claim(const Node& item);

// The claims of a study's file, resolved against its rows and what these record. Errors: another
// form; ids that come twice; selectors of several configs; what no row records; a region at 0
// without sign_only; mean where seeds solve a task or fail. Notes: what this many seeds can never
// decide.
std::vector<Claim> read_claims(const Node& list, const Study& study, Diagnostics& diagnostics);

}  // namespace attune
