#include "cli/explain.h"
#include "cli/session.h"
#include "study/study_config.h"

namespace attune {

ExitCode verb_explain(Session& session) {
  std::vector<KindKeys> kinds;
  for (const Kind& kind : session.kinds) {
    StudyOptions options(kind);
    FieldList fields;
    options.fields(fields);
    kinds.push_back({kind.name, KeyIndex(fields)});
  }
  const auto& operands = session.command.operands;
  const std::string key = operands.empty() ? "" : operands.front();
  const Output& out = session.console.out;
  out.print(session.console.json ? explain_json(kinds, key).dump() + "\n"
                                 : explain_text(kinds, key, out.width));
  return ExitCode::ok;
}

}  // namespace attune
