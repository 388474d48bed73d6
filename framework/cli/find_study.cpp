#include "cli/find_study.h"

#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "config/document.h"

namespace attune {

bool is_study(const std::string& folder) {
  for (const char* part : {"study.yaml", "trials", "running"})
    if (file_exists(folder + "/" + part)) return true;
  return false;
}

std::vector<std::string> studies_in(const std::string& folder) {
  std::vector<std::string> names = list_folder(folder);
  std::erase_if(names,
                [&folder](const std::string& name) { return !is_study(folder + "/" + name); });
  return names;
}

namespace {

// What a study's YAML file calls it. Only `name` is read: the study may be older than the file.
std::string name_in(const std::string& path) {
  Diagnostics diagnostics;
  LoadOptions load;
  load.path = path;
  const Document document = compose(load, diagnostics);
  const auto name = document.usable ? document.scalar("name") : std::nullopt;
  if (!name) diagnostics.raise();
  ATTUNE_CHECK(name && !name->ends_with(".yaml") && !name->ends_with(".yml"), ConfigError,
               "{} gives no name, so that there is no study of it", path);
  return *name;
}

}  // namespace

std::string find_study(const std::string& study, const std::string& out) {
  // "results/x/" and "results/x" are one folder, and its name is x.
  std::string folder = study.find_last_not_of('/') == study.npos
                           ? study
                           : study.substr(0, study.find_last_not_of('/') + 1);
  if (is_study(folder)) return folder;
  if ((folder.ends_with(".yaml") || folder.ends_with(".yml")) && file_exists(folder))
    return find_study(name_in(folder), out);
  if (is_study(out + "/" + folder)) return out + "/" + folder;
  const std::vector<std::string> known = studies_in(out);
  const auto meant = did_you_mean(folder, known);
  const std::string hint =
      meant           ? fmt::format("did you mean '{}'?", *meant)
      : known.empty() ? fmt::format("{}/ holds no study; `attune run FILE.yaml` makes one", out)
                      : fmt::format("{}/ holds {}", out, join(known));
  throw ConfigError(fmt::format("'{}' is no study: neither a folder of one nor a name in {}/; {}",
                                study, out, hint));
}

}  // namespace attune
