#include "datasets/packer.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/fields.h"
#include "base/philox.h"

namespace attune {
namespace {

constexpr Index kWindowBatches = 8;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

}  // namespace

Packer::Packer(std::vector<Index> lengths, BatchRule rule, Index seed, const std::string& what)
    : lengths_(std::move(lengths)),
      rule_(rule),
      epochs_(static_cast<std::uint64_t>(seed), "shuffle", "epoch"),
      packs_(static_cast<std::uint64_t>(seed), "shuffle", "packs") {
  ATTUNE_CHECK((rule.batch_tokens > 0) != (rule.batch_size > 0), ConfigError,
               "train.batch_tokens={} and train.batch_size={}: exactly one of them must be above 0",
               rule.batch_tokens, rule.batch_size);
  const Index n = static_cast<Index>(lengths_.size());
  for (Index i = 0; i < n; ++i) {
    if (rule.batch_tokens == 0 || lengths_[at(i)] <= rule.batch_tokens) continue;
    throw KeyedDataError(
        {"train.batch_tokens",
         fmt::format("{} example {} has {} tokens, a batch holds train.batch_tokens={}", what, i,
                     lengths_[at(i)], rule.batch_tokens),
         fmt::format(
             "Raise it to {} or more, or make examples shorter (data.resize.max_tokens of images, "
             "data.block of text)",
             *std::max_element(lengths_.begin(), lengths_.end())),
         {}});
  }
  // The fullest batch there can be: by tokens the budget, by examples the shortest ones together.
  std::vector<Index> sorted = lengths_;
  std::sort(sorted.begin(), sorted.end());
  if (rule.batch_tokens > 0) {
    Index tokens = 0;
    for (; max_examples_ < n && tokens + sorted[at(max_examples_)] <= rule.batch_tokens;
         ++max_examples_)
      tokens += sorted[at(max_examples_)];
    max_tokens_ =
        std::min(rule.batch_tokens, std::accumulate(sorted.begin(), sorted.end(), Index{0}));
  } else {
    max_examples_ = std::min(n, rule.batch_size);
    max_tokens_ = std::accumulate(sorted.end() - max_examples_, sorted.end(), Index{0});
  }
}

void Packer::shuffle(std::vector<Index>& items, const Stream& stream, Index epoch) {
  for (std::size_t left = items.size(); left > 1; --left) {
    const auto pick =
        stream.below(static_cast<std::uint32_t>(left), left, static_cast<std::uint32_t>(epoch));
    std::swap(items[left - 1], items[pick]);
  }
}

const BatchPlan& Packer::epoch(Index epoch) {
  const std::size_t n = lengths_.size();
  order_.resize(n);
  std::iota(order_.begin(), order_.end(), Index{0});
  shuffle(order_, epochs_, epoch);
  packed_.clear();
  starts_.assign(1, 0);
  if (rule_.batch_tokens > 0) {
    window_.clear();
    Index tokens = 0;
    for (std::size_t i = 0; i < n; ++i) {
      window_.push_back(order_[i]);
      tokens += lengths_[at(order_[i])];
      if (tokens >= kWindowBatches * rule_.batch_tokens) tokens = pack_window(false);
    }
    pack_window(true);
  } else {
    packed_ = order_;
    for (std::size_t i = 0; i < n; i += at(rule_.batch_size))
      starts_.push_back(static_cast<Index>(std::min(n, i + at(rule_.batch_size))));
  }

  pack_order_.resize(starts_.size() - 1);
  std::iota(pack_order_.begin(), pack_order_.end(), Index{0});
  shuffle(pack_order_, packs_, epoch);
  plan_.order_.clear();
  plan_.bounds_.assign(1, 0);
  for (Index pack : pack_order_) {
    for (Index i = starts_[at(pack)]; i < starts_[at(pack) + 1]; ++i)
      plan_.order_.push_back(packed_[at(i)]);
    plan_.bounds_.push_back(static_cast<Index>(plan_.order_.size()));
  }
  return plan_;
}

// Appends the packs of window_ to packed_ and starts_; window_ keeps the examples of the emptiest
// pack, unless it is the epoch's last window. Returns their tokens.
Index Packer::pack_window(bool last) {
  const Index budget = rule_.batch_tokens;
  // Longest first; std::sort on (length, place in the order) is stable without taking memory.
  place_.resize(window_.size());
  std::iota(place_.begin(), place_.end(), Index{0});
  std::sort(place_.begin(), place_.end(), [this](Index a, Index b) {
    const Index la = lengths_[at(window_[at(a)])], lb = lengths_[at(window_[at(b)])];
    return la != lb ? la > lb : a < b;
  });

  fill_.clear();
  pack_of_.resize(window_.size());
  for (Index place : place_) {
    const Index length = lengths_[at(window_[at(place)])];
    std::size_t pack = 0;
    while (pack < fill_.size() && fill_[pack] + length > budget) ++pack;
    if (pack == fill_.size()) fill_.push_back(0);
    fill_[pack] += length;
    pack_of_[at(place)] = static_cast<Index>(pack);
  }

  const auto emptiest = last ? fill_.end() : std::min_element(fill_.begin(), fill_.end());
  const Index kept = emptiest == fill_.end() ? -1 : emptiest - fill_.begin();
  for (Index pack = 0; pack < static_cast<Index>(fill_.size()); ++pack) {
    if (pack == kept) continue;
    for (std::size_t i = 0; i < window_.size(); ++i)
      if (pack_of_[i] == pack) packed_.push_back(window_[i]);
    starts_.push_back(static_cast<Index>(packed_.size()));
  }
  std::size_t left = 0;
  for (std::size_t i = 0; i < window_.size(); ++i)
    if (pack_of_[i] == kept) window_[left++] = window_[i];
  window_.resize(left);
  return kept < 0 ? 0 : fill_[at(kept)];
}

const BatchPlan& Packer::in_order() {
  plan_.order_.resize(lengths_.size());
  std::iota(plan_.order_.begin(), plan_.order_.end(), Index{0});
  plan_.bounds_.assign(1, 0);
  Index tokens = 0, examples = 0;
  for (Index i = 0; i < static_cast<Index>(lengths_.size()); ++i) {
    const bool full = rule_.batch_tokens > 0 ? tokens + lengths_[at(i)] > rule_.batch_tokens
                                             : examples == rule_.batch_size;
    if (full) {
      plan_.bounds_.push_back(i);
      tokens = examples = 0;
    }
    tokens += lengths_[at(i)];
    ++examples;
  }
  if (examples > 0) plan_.bounds_.push_back(static_cast<Index>(lengths_.size()));
  return plan_;
}

double Packer::efficiency() const {
  const Index room =
      plan_.size() * (rule_.batch_tokens > 0 ? rule_.batch_tokens : rule_.batch_size);
  const Index used = rule_.batch_tokens > 0
                         ? std::accumulate(lengths_.begin(), lengths_.end(), Index{0})
                         : static_cast<Index>(lengths_.size());
  return room > 0 ? static_cast<double>(used) / static_cast<double>(room) : 1.0;
}

void BatchSequence::seek(Index step) {
  step_ = in_epoch_ = step;
  next_epoch_ = 0;
  packer_.epoch(next_epoch_++);
  ATTUNE_CHECK(packer_.plan().size() > 0, DataError,
               "the training split is empty: there is no batch to take");
  while (in_epoch_ > packer_.plan().size()) {
    in_epoch_ -= packer_.plan().size();
    packer_.epoch(next_epoch_++);
  }
}

std::span<const Index> BatchSequence::next() {
  if (in_epoch_ == packer_.plan().size()) {
    packer_.epoch(next_epoch_++);
    in_epoch_ = 0;
  }
  ++step_;
  return packer_.plan()[in_epoch_++];
}

}  // namespace attune
