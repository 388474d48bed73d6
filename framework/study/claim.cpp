#include "study/claim.h"

#include "base/hash.h"
#include "base/text.h"

namespace attune {

bool Region::inside(double low_, double high_) const {
  // "above" and "below" leave their boundary out.
  const bool closed = low && high;
  return (!low || (closed ? low_ >= *low : low_ > *low)) &&
         (!high || (closed ? high_ <= *high : high_ < *high));
}

bool Region::outside(double low_, double high_) const {
  const bool closed = low && high;
  return (low && (closed ? high_ < *low : high_ <= *low)) ||
         (high && (closed ? low_ > *high : low_ >= *high));
}

std::string Region::words() const {
  if (!formula.empty()) return fmt::format("{} within {}", formula, tolerance);
  if (equal) return fmt::format("equal to {}", *low);
  if (low && high) return fmt::format("between {} and {}", *low, *high);
  return low ? fmt::format("above {}", *low) : fmt::format("below {}", high.value_or(0));
}

Claim::Kind Claim::kind() const {
  if (!expect.formula.empty()) return Kind::formula;
  using Of = Estimand::Kind;
  const bool all = estimand.kind == Of::max || estimand.kind == Of::min;
  return all || expect.equal ? Kind::exact : Kind::trained;
}

std::string Claim::kind_name() const {
  const Kind is = kind();
  return is == Kind::exact ? "exact" : is == Kind::formula ? "formula" : "trained";
}

std::string hash_of_claim(const Node& item) {
  std::string text;
  for (const char* key : {"id", "estimand", "expect", "if_failed", "over"})
    if (const Node::Entry* entry = item.find(key))
      text += fmt::format("{}: {}\n", key, flow_text(entry->value));
  return sha256(text);
}

}  // namespace attune
