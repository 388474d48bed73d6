#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/gray_law.h"
#include "base/shape.h"

namespace attune {

// All that a trial leaves in its run file, but for what the Trial itself says.

struct MetricInfo {
  std::string name, units, long_name, goal;  // goal: minimize | maximize | empty
};

// One split's series: every metric has a value at every step of the split.
struct MetricTable {
  std::vector<Index> step;
  std::vector<MetricInfo> info;
  std::vector<std::vector<double>> values;  // [metric][step]
};

struct FinalMetric {
  std::string split, name;  // stands as /final/<split>_<name>
  double value = 0;
  std::string units, goal, how;  // how: "best val/loss at step 300"
};

struct Predictions {
  std::vector<Index> example, group, target;
  Index n_outputs = 0;
  std::vector<float> output;           // [n, n_outputs] logits or values
  std::string loss = "cross_entropy";  // what the metric loss is of these outputs
  std::vector<Index> position = {};  // the row in its example, where rows have targets; else empty
  // Where answers are decoded, what each example's was: [n_sequences, n_decoded] classes, −1 behind
  // its end; `sequence` are the examples, in the order in which they stand in `example`.
  std::vector<Index> sequence = {};
  std::vector<std::int32_t> decoded = {};
  Index n_decoded = 0;
};

// A probe's dimension: "step", "layer", "parameter", … with its coordinates (numbers, or words).
struct Dimension {
  std::string name;
  std::vector<Index> numbers;
  std::vector<std::string> words;  // used when not empty
  Index size() const { return static_cast<Index>(words.empty() ? numbers.size() : words.size()); }
};

struct ProbeTable {
  struct Quantity {
    std::string name, units, long_name;
    std::vector<double> values;  // row-major over the dimensions
  };
  // A number beside each coordinate of a dimension, known before the run: the length of an example.
  struct Label {
    std::string name, dimension, long_name;
    std::vector<Index> values;
  };
  std::string name;
  std::vector<Dimension> dimensions;
  std::vector<Quantity> quantities;
  std::vector<Label> labels = {};
  std::string comment = {};  // how it was measured
};

struct NamedTensor {
  std::string name;  // path name, "encoder.block0.attention.wq"
  Shape shape;
  std::vector<float> values;
};

// Parameters at one step. The first set of a run stands in /weights itself, further ones in
// /weights/<which>.
struct WeightSet {
  std::string which;  // chosen | initial | last | step<number>
  Index step = 0;
  std::vector<NamedTensor> tensors;
};

struct RunContent {
  std::string status = "finished";             // finished | diverged
  std::vector<std::string> class_names;        // of the data, in the order of the outputs
  std::optional<GrayLaw> gray;                 // where images were normalised by their own law
  std::vector<std::string> token_names;        // where tokens were read that are no classes
  Index width = 0;                             // values a row, where rows were vectors
  bool row_targets = false;                    // of the data: rows were answered of, not examples
  Index steps = 0;                             // optimiser steps done
  std::map<std::string, MetricTable> metrics;  // by split
  std::vector<FinalMetric> final;
  std::map<std::string, Predictions> predictions;  // by split
  std::vector<ProbeTable> probes;
  std::vector<WeightSet> weights;
  std::vector<Index> hash_step;
  std::vector<std::uint64_t> hash;  // of all parameters
};

}  // namespace attune
