#include "study/recorded_study.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "storage/metadata.h"

namespace attune {

std::string recorded_study_text(const RunFile& run) {
  return run.trial.config_yaml +
         fmt::format("name: {}\nseeds: [{}]\n", to_text(FieldValue(run.head.name)), run.head.seed);
}

Study recorded_study(const RunFile& run, std::span<const Kind> kinds) {
  LoadOptions load;
  load.path = run.path;
  load.text = recorded_study_text(run);
  const auto damaged = [&run](const std::string& why) {
    return DamagedError(fmt::format("{}: its /config/resolved_yaml {}", run.path, why));
  };
  Study study;
  try {
    study = load_study(load, kinds);
  } catch (const ConfigError& error) {
    throw damaged(
        fmt::format("is not what this version can read: the file is damaged, or of "
                    "another version.\n{}",
                    error.what()));
  }
  Trial text;
  text.config = study.reference().config();
  // Only what the attributes hold: a later version's text has further keys, by default.
  const std::vector<ConfigLeaf> said = text.recorded_config();
  for (const ConfigLeaf& leaf : run.trial.config) {
    const auto same = std::find_if(said.begin(), said.end(),
                                   [&leaf](const ConfigLeaf& l) { return l.key == leaf.key; });
    const std::string value = same == said.end() ? "absent" : to_text(same->value);
    if (value != to_text(leaf.value))
      throw damaged(fmt::format("says {}={}, its attribute {}: the file is damaged", leaf.key,
                                value, to_text(leaf.value)));
  }
  study.rows.front().name = run.head.row;
  return study;
}

LoadOptions recorded_load(const RunFile& run, std::span<const Kind> kinds) {
  recorded_study(run, kinds);  // tells damage from what the command line asks
  LoadOptions load;
  load.path = run.path;
  if (run.head.fold) load.overrides.push_back(fmt::format("data.split.test=[{}]", *run.head.fold));
  load.text = recorded_study_text(run);
  const Json metadata = metadata_beside(run.path);
  for (const auto& [entry, key] :
       {std::pair{"data_file", "data.file"}, {"init_from", "train.init_from"}}) {
    const Json* file = metadata.find(entry);
    const std::string* name = file ? file->text() : nullptr;
    if (name && !name->empty())
      load.overrides.push_back(fmt::format("{}={}", key, to_text(FieldValue(*name))));
  }
  return load;
}

}  // namespace attune
