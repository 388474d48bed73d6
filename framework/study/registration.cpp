#include "study/registration.h"

#include <map>
#include <set>

#include "base/files.h"
#include "base/text.h"
#include "study/points.h"

namespace attune {
namespace {

constexpr std::string_view kKey = "registered: ";

// Whether a claim is judged by an interval, as far as its text says.
bool has_interval(const Node& item) {
  const Node::Entry* estimand = item.find("estimand");
  const Node::Entry* expect = item.find("expect");
  const bool extreme = estimand && (estimand->value.find("max") || estimand->value.find("min"));
  return !extreme && !(expect && expect->value.find("equal"));
}

struct Frozen {
  Index finished = 0, planned = 0;
  std::vector<Node> claims;
};

Frozen read(const std::string& path) {
  Diagnostics ignored;
  LoadOptions load;
  load.path = path;
  Document document = compose(load, ignored);
  Frozen frozen;
  if (!document.usable) return frozen;
  const auto count = [&document](const char* key) {
    const Node* node = document.find(std::string("registered.") + key);
    const auto value = node ? number_of(*node) : std::nullopt;
    return static_cast<Index>(value.value_or(0));
  };
  frozen.finished = count("finished");
  frozen.planned = count("planned");
  if (const Node* claims = document.find("claims")) frozen.claims = claims->items;
  return frozen;
}

std::string text_of(const Node& item, const char* key) {
  const Node::Entry* entry = item.find(key);
  return entry ? (entry->value.is_scalar() ? entry->value.text : flow_text(entry->value)) : "";
}

std::string without_registration(const std::string& text) {
  const std::size_t at = text.rfind(kKey);
  return at != text.npos && (at == 0 || text[at - 1] == '\n') ? text.substr(0, at) : text;
}

}  // namespace

std::string Registration::words() const {
  if (before_data()) return fmt::format("registered before 0 of {}", planned);
  return fmt::format("{} after {} of {}", frozen ? "added" : "not registered: read", finished,
                     planned);
}

Families families_of(const std::vector<Claim>& claims, const StudyFolder& folder, Index finished,
                     Index planned) {
  struct First {
    Registration registration;
    bool has_interval = false;
  };
  std::map<std::string, First> by_hash;
  std::map<std::string, std::pair<std::string, std::string>> by_id;  // → hash, region; the newest
  std::map<std::string, std::string> earlier;                        // hash → the region before
  std::set<std::string> before_data;                                 // ids
  for (const std::string& path : folder.frozen()) {
    const Frozen frozen = read(path);
    for (const Node& item : frozen.claims) {
      const std::string hash = hash_of_claim(item), id = text_of(item, "id"),
                        region = text_of(item, "expect");
      const bool interval = has_interval(item);
      by_hash.try_emplace(hash, First{{frozen.finished, frozen.planned, true, ""}, interval});
      if (frozen.finished == 0 && interval) before_data.insert(id);
      const auto known = by_id.find(id);
      if (known != by_id.end() && known->second.first != hash && frozen.finished > 0)
        earlier.try_emplace(hash, known->second.second);
      by_id[id] = {hash, region};
    }
  }
  Families families;
  families.registered = static_cast<Index>(before_data.size());
  for (const Claim& claim : claims) {
    const auto first = by_hash.find(claim.hash);
    Registration registration{finished, planned, false, ""};
    if (first != by_hash.end()) {
      registration = first->second.registration;
      const auto old = earlier.find(claim.hash);
      if (old != earlier.end()) registration.earlier = old->second;
    } else if (const auto known = by_id.find(claim.id); known != by_id.end()) {
      registration.earlier = known->second.second;
    }
    if (!registration.before_data() && claim.kind() != Claim::Kind::exact) families.added += 1;
    families.of.push_back(std::move(registration));
  }
  return families;
}

std::string text_to_freeze(const std::string& yaml, const StudyFolder& folder, Index finished,
                           Index planned) {
  const std::vector<std::string> frozen = folder.frozen();
  if (!frozen.empty()) {
    std::string newest = read_file(frozen.back());
    if (without_registration(newest) == yaml) return newest;
  }
  return yaml + fmt::format("{}{{finished: {}, planned: {}}}\n", kKey, finished, planned);
}

}  // namespace attune
