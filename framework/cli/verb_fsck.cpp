#include "base/json.h"
#include "cli/find_study.h"
#include "cli/session.h"
#include "study/fsck.h"

namespace attune {
namespace {

using State = FsckFinding::State;

const char* word(State state) {
  return state == State::note ? "note" : state == State::repaired ? "repaired" : "damaged";
}

std::string counted(Index n, const char* one, const char* many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

std::string looked_at(const FsckReport& report) {
  std::string text = counted(report.run_files, "run file", "run files");
  text += ", " + counted(report.frozen, "frozen study file", "frozen study files");
  if (report.running > 0) text += ", " + counted(report.running, "stopped trial", "stopped trials");
  if (report.held > 0)
    text += fmt::format(" ({} trained now, left alone)", counted(report.held, "is", "are"));
  return text;
}

std::string verdict(const FsckReport& report) {
  const Index damaged = report.count(State::damaged), repaired = report.count(State::repaired);
  if (damaged > 0)
    return fmt::format("{} damaged{}", damaged,
                       repaired > 0 ? fmt::format(", {} repaired", repaired) : "");
  return repaired > 0 ? fmt::format("all is well again, {} repaired", repaired) : "all is well";
}

}  // namespace

ExitCode verb_fsck(Session& session) {
  const Console& console = session.console;
  StudyFolder folder(find_study(session.command.operands.front(),
                                session.command.text("out").value_or("results")));
  const FsckReport report = fsck(folder, session.kinds);
  const ExitCode code = report.count(State::damaged) > 0 ? ExitCode::damaged : ExitCode::ok;
  if (console.json) {
    Json findings = Json::List{};
    for (const FsckFinding& f : report.findings)
      findings.push(Json().set("state", word(f.state)).set("path", f.path).set("message", f.text));
    Json json;
    json.set("folder", folder.path()).set("run_files", report.run_files);
    json.set("frozen", report.frozen).set("stopped", report.running).set("held", report.held);
    json.set("damaged", report.count(State::damaged));
    json.set("repaired", report.count(State::repaired));
    console.out.print(json.set("findings", std::move(findings)).dump() + "\n");
    return code;
  }
  for (const FsckFinding& f : report.findings) {
    if (f.state == State::note && console.quiet) continue;
    const std::string state = word(f.state);
    console.out.print(fmt::format(
        "{}: {}\n", f.state == State::damaged ? console.out.red(state) : state, f.text));
  }
  if (!console.quiet || code != ExitCode::ok)
    console.out.print(fmt::format("{}: {}; {}\n", console.out.bold(folder.path()),
                                  looked_at(report), verdict(report)));
  return code;
}

}  // namespace attune
