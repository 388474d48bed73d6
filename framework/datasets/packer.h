#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/philox.h"
#include "base/shape.h"

namespace attune {

// How many examples share a batch: as many as fit into a budget of tokens, or a fixed number.
// Exactly one of the two is above zero.
struct BatchRule {
  Index batch_tokens = 0;
  Index batch_size = 0;
};

// Batches of one epoch, each a list of example indices, held flat.
class BatchPlan {
 public:
  Index size() const { return static_cast<Index>(bounds_.size()) - 1; }
  std::span<const Index> operator[](Index batch) const {
    const auto first = bounds_[static_cast<std::size_t>(batch)];
    const auto last = bounds_[static_cast<std::size_t>(batch) + 1];
    return {order_.data() + first, static_cast<std::size_t>(last - first)};
  }

 private:
  friend class Packer;
  std::vector<Index> order_;
  std::vector<Index> bounds_ = {0};
};

// Turns lengths into batches that are never padded. An epoch's plan is a function of (lengths,
// rule, seed, epoch) alone and holds every example exactly once:
//   1. order: Fisher-Yates, keyed by Stream(seed, "shuffle", "epoch") at coordinate `epoch`
//   2. budget: the order is cut into windows of about eight batches, each packed by first-fit
//      decreasing; a window's emptiest pack goes back into the next window
//      size: the order is cut every batch_size examples, the last batch may be smaller
//   3. the packs are shuffled ("packs" instead of "epoch"), as decreasing lengths would show
// Windows keep the batches of large images from being the same in every epoch.
class Packer {
 public:
  // DataError when an example is longer than the budget. `what` names the examples in errors.
  Packer(std::vector<Index> lengths, BatchRule rule, Index seed, const std::string& what = "train");

  // Valid until the next call, which reuses its memory.
  const BatchPlan& epoch(Index epoch);
  // Examples in their own order, for evaluation: a new batch where the next one does not fit.
  const BatchPlan& in_order();

  const BatchPlan& plan() const { return plan_; }
  // Tokens per (batch × budget) of the last plan, 1 at best; with batch_size, of examples.
  double efficiency() const;
  // Most tokens, and most examples, that a batch can have: what a Batch should reserve.
  Index max_tokens() const { return max_tokens_; }
  Index max_examples() const { return max_examples_; }

 private:
  static void shuffle(std::vector<Index>& items, const Stream& stream, Index epoch);
  Index pack_window(bool last);

  std::vector<Index> lengths_;
  BatchRule rule_;
  Stream epochs_, packs_;
  Index max_tokens_ = 0, max_examples_ = 0;
  BatchPlan plan_;
  // Work space of epoch().
  std::vector<Index> order_, window_, place_, pack_of_, fill_, packed_, starts_, pack_order_;
};

// The training batches of a run, step after step over the epochs. The position is the step alone:
// resuming is seek().
class BatchSequence {
 public:
  explicit BatchSequence(Packer packer) : packer_(std::move(packer)) { seek(0); }
  void seek(Index step);
  // Batch of the current step, which is then advanced.
  std::span<const Index> next();
  Index step() const { return step_; }
  Index epoch() const { return next_epoch_ - 1; }  // of the batch that next() gave last
  const Packer& packer() const { return packer_; }

 private:
  Packer packer_;
  Index step_ = 0, in_epoch_ = 0, next_epoch_ = 0;
};

}  // namespace attune
