#include "study/standing.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "storage/run_file.h"

namespace attune {
namespace {

constexpr const char* kOtherPlace = "give this study another name (name=…) or folder (-o)";

// A trial that stands in the folder: what it was made of.
struct Standing {
  std::string path;  // its run file, or its folder under running/
  bool finished = false;
  Trial made_of;  // row, seed, fold, stop step, repeat, data and weights; no config
  std::string identity;
  std::string canonical_text;  // of an unfinished one
};

using Lines = std::map<std::string, std::string>;

// "key=value" lines, as Trial::canonical_text() has them.
Lines lines_of(const std::string& text) {
  Lines lines;
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t equals = line.find('=');
    if (equals != line.npos) lines.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return lines;
}

std::optional<Index> number_in(const Lines& lines, const char* key) {
  const auto line = lines.find(key);
  if (line == lines.end() || line->second == "null") return std::nullopt;
  Index value = 0;
  const char* const end = line->second.data() + line->second.size();
  const auto [stop, error] = std::from_chars(line->second.data(), end, value);
  return error == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

std::string text_in(const Lines& lines, const char* key) {
  const auto line = lines.find(key);
  return line == lines.end() ? std::string() : line->second;
}

std::string changes_between(const std::string& before, const std::string& now) {
  constexpr std::string_view kConfig = "config.";
  const Lines then = lines_of(before), is = lines_of(now);
  std::set<std::string> keys;
  for (const Lines* lines : {&then, &is})
    for (const auto& [key, value] : *lines)
      if (key.starts_with(kConfig)) keys.insert(key);
  const auto value_of = [](const Lines& lines, const std::string& key) {
    const auto line = lines.find(key);
    return line == lines.end() ? std::string("absent") : line->second;
  };
  std::string text;
  for (const std::string& key : keys)
    if (value_of(then, key) != value_of(is, key))
      text += fmt::format("  {}: {} then, {} now\n", key.substr(kConfig.size()),
                          value_of(then, key), value_of(is, key));
  return text;
}

// The trial of `row` that would stand where this one does.
Trial counterpart(const Trial& of_row, const Trial& made_of) {
  Trial trial = of_row;
  trial.seed = made_of.seed;
  trial.fold = made_of.fold;
  trial.stop_step = made_of.stop_step;
  trial.repeat = made_of.repeat;
  trial.data_sha256 = made_of.data_sha256;
  trial.init_sha256 = made_of.init_sha256;
  return trial;
}

std::string way_out(const Standing& stands) {
  if (stands.finished) return "Finished trials stay; ";
  return fmt::format(
      "It was interrupted, and goes on only as it began. To train it anew, remove "
      "{}; or ",
      stands.path);
}

void require_same(const Standing& stands, const Study& study, const std::vector<Trial>& trials) {
  const auto of_row = std::find_if(trials.begin(), trials.end(), [&](const Trial& trial) {
    return trial.row == stands.made_of.row;
  });
  if (of_row == trials.end()) return;  // of a row that is no more
  Trial now = counterpart(*of_row, stands.made_of);
  if (now.identity() != stands.identity) {
    const std::string before =
        stands.finished ? read_run_file(stands.path).trial.canonical_text() : stands.canonical_text;
    throw ChangedError(fmt::format(
        "{} was made with another config:\n{}{}{}, or go back to the values then.", stands.path,
        changes_between(before, now.canonical_text()), way_out(stands), kOtherPlace));
  }
  const auto planned = std::find_if(of_row, trials.end(), [&](const Trial& trial) {
    return trial.row == now.row && trial.seed == now.seed && trial.fold == now.fold &&
           trial.repeat == now.repeat;
  });
  const std::string data = planned != trials.end()
                               ? planned->data_sha256
                               : study.row_of(now).kind_options().data_sha256(now.seed, now.fold);
  ATTUNE_CHECK(data == now.data_sha256, ChangedError,
               "the data's content is not what {} was made with (sha256 {:.8}… now, {:.8}… then). "
               "{}{}, or restore the data.",
               stands.path, data, now.data_sha256, way_out(stands), kOtherPlace);
  ATTUNE_CHECK(of_row->init_sha256 == now.init_sha256, ChangedError,
               "train.init_from holds other weights than {} began with (sha256 {:.8}… now, {:.8}… "
               "then). {}{}, or restore the file.",
               stands.path, of_row->init_sha256, now.init_sha256, way_out(stands), kOtherPlace);
}

Standing finished_trial(const StudyFolder& folder, const std::string& stem) {
  const RunHead& head = folder.head(stem);
  Standing stands{folder.run_path(stem), true, {}, head.identity, {}};
  stands.made_of.row = head.row;
  stands.made_of.seed = head.seed;
  stands.made_of.fold = head.fold;
  stands.made_of.stop_step = head.stop_step;
  stands.made_of.repeat = head.repeat;
  stands.made_of.data_sha256 = head.data_sha256;
  stands.made_of.init_sha256 = head.init_sha256;
  return stands;
}

// Of a row of the study; none when it has no such row.
std::optional<Standing> unfinished_trial(const StudyFolder& folder,
                                         const StudyFolder::Unfinished& unfinished,
                                         const std::vector<Trial>& trials) {
  const Lines lines = lines_of(unfinished.canonical_text);
  Standing stands{folder.path() + "/running/" + unfinished.stem, false, {}, {}, {}};
  stands.made_of.seed = number_in(lines, "seed").value_or(0);
  stands.made_of.fold = number_in(lines, "fold");
  stands.made_of.stop_step = number_in(lines, "stop_step");
  stands.made_of.repeat = number_in(lines, "repeat");
  stands.made_of.data_sha256 = text_in(lines, "data_sha256");
  stands.made_of.init_sha256 = text_in(lines, "init_sha256");
  stands.canonical_text = unfinished.canonical_text;
  stands.identity = sha256(unfinished.canonical_text);
  // Its text does not name its row; its folder does, in the letters of a file name.
  const auto of_row = std::find_if(trials.begin(), trials.end(), [&](const Trial& trial) {
    return counterpart(trial, stands.made_of).place() == place_in(unfinished.stem);
  });
  if (of_row == trials.end()) return std::nullopt;
  stands.made_of.row = of_row->row;
  return stands;
}

void require_same_frozen(const Study& study, const StudyFolder& folder,
                         std::span<const Kind> kinds) {
  const std::vector<std::string> frozen = folder.frozen();
  if (frozen.empty()) return;
  const Study then = read_frozen(frozen.back(), kinds);
  const auto recorded = [](const Row& row) {
    Trial t;
    t.config = row.config();
    return t.recorded_config();
  };
  // Rows may come; one that stays must stay what it was.
  std::string text;
  std::set<std::string> told;
  for (const Row& row : study.rows)
    if (const Row* old = then.find(row.name))
      for (const std::string& change : changed_keys(recorded(*old), recorded(row)))
        if (told.insert(change).second) text += "  " + change + "\n";
  ATTUNE_CHECK(text.empty(), ChangedError,
               "{} holds a study of this name with another config:\n{}Give this one another name "
               "(name=…) or folder (-o), or go back to the values then.",
               folder.path(), text);
}

}  // namespace

Study read_frozen(const std::string& path, std::span<const Kind> kinds) {
  LoadOptions load;
  load.path = path;
  try {
    return load_study(load, kinds);
  } catch (const ConfigError& error) {
    throw DamagedError(fmt::format(
        "{}, frozen at the last start of this study, cannot be read:\n{}\nRemove it, or give the "
        "study another name (name=…) or folder (-o). Finished trials stay",
        path, error.what()));
  }
}

std::vector<Trial> waiting_trials(const Study& study, const StudyFolder& folder) {
  std::vector<Trial> planned = plan_places(study);
  std::set<std::string> places, taken;
  for (const Trial& trial : planned) places.insert(trial.place());
  for (const StudyFolder::Unfinished& unfinished : folder.unfinished())
    taken.insert(place_in(unfinished.stem));
  for (const std::string& stem : folder.finished()) {
    taken.insert(place_in(stem));
    if (places.contains(place_in(stem))) continue;
    // A run file that was run as a study keeps the name of its row.
    Standing stands;
    try {
      stands = finished_trial(folder, stem);
    } catch (const DamagedError&) {  // whoever reads it for its numbers tells
      continue;
    }
    for (const Trial& trial : planned)
      if (trial.seed == stands.made_of.seed && trial.fold == stands.made_of.fold &&
          trial.repeat == stands.made_of.repeat &&
          counterpart(trial, stands.made_of).identity() == stands.identity)
        taken.insert(trial.place());
  }
  std::erase_if(planned, [&taken](const Trial& trial) { return taken.contains(trial.place()); });
  return planned;
}

void require_same_study(const Study& study, const std::vector<Trial>& trials,
                        const StudyFolder& folder, std::span<const Kind> kinds) {
  require_same_frozen(study, folder, kinds);
  for (const std::string& stem : folder.finished())
    require_same(finished_trial(folder, stem), study, trials);
  for (const StudyFolder::Unfinished& unfinished : folder.unfinished())
    if (const auto stands = unfinished_trial(folder, unfinished, trials))
      require_same(*stands, study, trials);
}

}  // namespace attune
