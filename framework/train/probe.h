#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "datasets/dataset.h"
#include "nn/block.h"
#include "storage/run_content.h"
#include "train/learner.h"

// What a probe is. Each is a file in train/probes/, named in the one list of train/probes.h.
namespace attune {

// What is known of a probe without a model.
struct ProbeInfo {
  struct Quantity {
    std::string name, units, long_name;
  };
  std::string name, doc;
  std::vector<std::string> dimensions;  // the first is "step"
  std::vector<Quantity> quantities;
  std::string comment = {};  // how it is measured, for who reads the file

  // Its table without coordinates.
  ProbeTable table() const;
};

// The run that a probe belongs to.
struct ProbeSubject {
  Learner<float>& learner;
  const Dataset& data;
  const ModelOptions& model;
  const Index* steps;  // after which training ends: known late where it may stop early
};

// A probe of one run. It reads, and changes no bit of training. At a moment that is not its own, or
// not due, it gives nothing; else a row of its table: values by quantity, row-major over all
// dimensions but "step". Steps are counted in updates.
class Probe {
 public:
  using Row = std::optional<std::vector<double>>;
  virtual ~Probe() = default;
  virtual ProbeTable table() const = 0;
  // The parameters after `step` updates.
  virtual Row at_state(Index) { return {}; }
  // The gradient at the parameters after `step` updates, before clipping.
  virtual Row at_gradient(Index) { return {}; }
  // The update that followed.
  virtual Row at_update(Index) { return {}; }
};

// The options of a probe.
struct ProbeOptions {
  virtual ~ProbeOptions() = default;
  virtual const ProbeInfo& info() const = 0;
  virtual void fields(FieldList& f) = 0;
  // What this model has not that is to be measured; keys are whole.
  virtual std::optional<Complaint> misfit(const std::string& kind, const ModelOptions& model) const;
  // What the data has not, for a model that fits.
  virtual std::optional<Complaint> misfit(const ModelOptions&, const Dataset&) const { return {}; }
  virtual std::unique_ptr<Probe> make(const ProbeSubject& subject) const = 0;

 protected:
  // "probes.max_logit", or a key under it.
  std::string key(const std::string& under = "") const;
};

// every: at step 0, at each n-th, and at the last.
struct EveryOptions : ProbeOptions {
  Index every = 100;
  void fields(FieldList& f) override;
  bool due(Index step, Index last) const { return step % every == 0 || step == last; }
};

// Measured without dropout on the first examples of the validation split, the same ones at every
// step, so that rows compare.
struct ValidationOptions : EveryOptions {
  Index count = 32;
  void fields(FieldList& f) override;
  using EveryOptions::misfit;
  std::optional<Complaint> misfit(const ModelOptions&, const Dataset& data) const override;
  std::vector<Index> examples(const Dataset& data) const;
};

// Passes without dropout over examples of a split, one at a time, in memory of their own.
class Look {
 public:
  Look(const ProbeSubject& subject, Split split, std::vector<Index> examples)
      : subject_(subject), split_(split), examples_(std::move(examples)) {}

  const ProbeSubject& subject() const { return subject_; }
  const std::vector<Index>& examples() const { return examples_; }
  // f(number of the example, tape, capture)
  template <class F>
  void each(F&& f) {
    for (std::size_t i = 0; i < examples_.size(); ++i) {
      batch_.assemble(subject_.data, split_, {&examples_[i], 1});
      subject_.learner.look(batch_, tape_, capture_);
      f(i, tape_, capture_);
    }
  }
  // f(layer, weights of one query and head of it)
  template <class F>
  void each_query(F&& f) {
    each([&](std::size_t, const Tape<float>& tape, const Capture<float>& seen) {
      for (std::size_t layer = 0; layer < seen.attention.size(); ++layer)
        seen.attention[layer].read(
            tape, [&](const kernels::WeightRow<float>& query) { f(layer, query); });
    });
  }

 private:
  ProbeSubject subject_;
  Split split_;
  std::vector<Index> examples_;
  Arena arena_;
  Tape<float> tape_{arena_, false};
  Batch batch_;
  Capture<float> capture_;
};

// 0 … n − 1
std::vector<Index> counted(Index n);

// The table of a probe over [step, layer, head].
ProbeTable table_by_head(const ProbeInfo& info, const ModelOptions& model);

}  // namespace attune
