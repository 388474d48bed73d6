#pragma once

#include "kernels/attention/parts.h"
#include "kernels/attention/select_two_stage.h"
#include "kernels/part_clock.h"

namespace attune::kernels {

// The scores, bias included, of some queries of a head, a strip at a time. Forward and backward
// both go through it, and so form the same bits. Memory: the packed keys that the queries see
// (those of one query where keys have gaps) and kStripQueries rows of scores.
template <class Real>
class StripScores {
 public:
  // Queries [first, end); the scratch must outlive it.
  StripScores(const Head<Real>& head, Index first, Index end, Scratch& scratch)
      : head_(head),
        next_(first),
        end_(end),
        score_(part_of(score_parts<Real>, head.options->score)),
        bias_(part_of(bias_parts<Real>, head.options->bias)),
        pattern_(part_of(pattern_parts, head.options->pattern)),
        two_stages_(head.options->select == Select::two_stage_top_k),
        factor_(static_cast<Real>(score_.key_factor(*head.options))) {
    strip_.joined = pattern_.joined && !two_stages_;
    Index low = head.sight.n_k, high = 0;
    for (Index i = first; i < end; ++i) {
      const KeySet keys = pattern_.keys(head.sight, i);
      if (keys.count == 0) continue;
      low = std::min(low, keys.first);
      high = std::max(high, keys.end());
      widest_ = std::max(widest_, two_stages_ ? stage(keys).most_candidates() : keys.count);
    }
    if (strip_.joined) {
      seen_ = {low, std::max<Index>(high - low, 0)};
      widest_ = seen_.count;
    }
    // A line more than whole blocks: rows of a power of two would share their cache sets.
    strip_.stride = whole_blocks(widest_) + 64 / static_cast<Index>(sizeof(Real));
    packed_ = scratch.allocate<Real>(whole_blocks(widest_) * head.k.width);
    scores_ = scratch.allocate<Real>((strip_.joined ? kStripQueries : 1) * strip_.stride);
    if (strip_.joined) pack_rows(head.k, seen_, factor_, packed_);
    if (two_stages_) {
      const Index n = head.means.n;
      means_ = scratch.allocate<Real>(whole_blocks(n) * head.k.width);
      pack_rows(head.means, {0, n}, factor_, means_);
      mean_scores_ = scratch.allocate<Real>(whole_blocks(n));
      blocks_ = scratch.allocate<std::int32_t>(n);
      candidates_ = scratch.allocate<std::int32_t>(widest_);
    }
  }

  // The most keys that a query may have.
  Index widest() const { return widest_; }
  // The keys that any of the queries sees, where they have no gaps.
  const KeySet& seen() const { return seen_; }
  Index stride() const { return strip_.stride; }

  // Goes on to the next strip; false after the last one.
  bool next() {
    if (next_ >= end_) return false;
    strip_.first = next_;
    strip_.n = strip_.joined ? std::min(kStripQueries, end_ - next_) : 1;
    next_ += strip_.n;
    PartClock::enter(PartClock::Part::score);
    strip_.joined ? score_joined() : score_one();
    for (Index r = 0; r < strip_.n; ++r) bias_.add(head_, strip_.first + r, keys(r), row(r));
    return true;
  }
  const Strip& strip() const { return strip_; }
  const KeySet& keys(Index r) const { return strip_.keys[static_cast<std::size_t>(r)]; }
  Real* scores() const { return scores_; }
  Real* row(Index r) const { return scores_ + strip_.begin(r); }

 private:
  Stage stage(const KeySet& keys) const { return {*head_.options, head_.sight.n_k, keys}; }

  void score_joined() {
    Index low = seen_.end(), high = seen_.first;
    for (Index r = 0; r < strip_.n; ++r) {
      const KeySet k = pattern_.keys(head_.sight, strip_.first + r);
      strip_.keys[static_cast<std::size_t>(r)] = k;
      if (k.count == 0) continue;
      low = std::min(low, k.first);
      high = std::max(high, k.end());
    }
    low = std::min(low, high);
    const Index blocks = (low - seen_.first) / kBlock * kBlock;
    strip_.first_key = seen_.first + blocks;
    for (Index r = 0; r < strip_.n; ++r) {
      KeySet& k = strip_.keys[static_cast<std::size_t>(r)];
      if (k.count == 0) k.first = strip_.first_key;
    }
    strip_.columns = {low - strip_.first_key, high - strip_.first_key};
    score_.scores(head_, part(head_.q, strip_.first, strip_.n), packed_ + blocks * head_.k.width,
                  strip_.columns.low / kLanes<Real> * kLanes<Real>, strip_.columns.high, scores_,
                  strip_.stride);
  }

  void score_one() {
    KeySet keys = pattern_.keys(head_.sight, strip_.first);
    const Rows<const Real> q = part(head_.q, strip_.first, 1);
    if (two_stages_) keys = candidates(keys, q);
    strip_.keys[0] = keys;
    pack_rows(head_.k, keys, factor_, packed_);
    score_.scores(head_, q, packed_, 0, keys.count, scores_, strip_.stride);
  }

  KeySet candidates(const KeySet& keys, Rows<const Real> q) {
    const Stage s = stage(keys);
    if (!s.needed()) return keys;
    const Index blocks = s.first_mean() / kBlock * kBlock, first = s.first_mean() - blocks;
    score_.scores(head_, q, means_ + blocks * head_.k.width, first / kLanes<Real> * kLanes<Real>,
                  first + s.n_blocks, mean_scores_, 0);
    PartClock::enter(PartClock::Part::select);
    top_k(mean_scores_ + first, s.n_blocks, s.chosen, blocks_);
    const KeySet chosen{0, s.candidates(blocks_, candidates_), 1, candidates_};
    PartClock::enter(PartClock::Part::score);
    return chosen;
  }

  const Head<Real>& head_;
  Index next_, end_;
  const ScorePart<Real>& score_;
  const BiasPart<Real>& bias_;
  const PatternPart& pattern_;
  bool two_stages_;
  Real factor_;
  Index widest_ = 0;
  KeySet seen_;
  Strip strip_;
  Real *packed_ = nullptr, *scores_ = nullptr, *means_ = nullptr, *mean_scores_ = nullptr;
  std::int32_t *blocks_ = nullptr, *candidates_ = nullptr;
};

}  // namespace attune::kernels
