// `attune status --watch` from outside: at a terminal and off one, reading only.
#include <gmock/gmock.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "base/files.h"
#include "tests/process/kills.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// What a terminal of so many columns and lines gets until the program ends, and its exit code.
Finished at_a_terminal(const Words& arguments, unsigned short columns, unsigned short lines) {
  const winsize size{lines, columns, 0, 0};
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  if (child == 0) {
    std::vector<std::string> words = {ATTUNE_PROGRAM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    setenv("TERM", "xterm", 1);
    execv(argv[0], argv.data());
    _exit(127);
  }
  Finished finished;
  char bytes[4096];
  for (ssize_t n; (n = read(terminal, bytes, sizeof bytes)) > 0;)
    finished.out.append(bytes, static_cast<std::size_t>(n));
  int status = 0;
  waitpid(child, &status, 0);
  close(terminal);
  finished.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return finished;
}

// Columns of the longest line and number of lines of the last frame.
std::pair<std::size_t, std::size_t> extent_of_last_frame(const std::string& screen) {
  std::string frame = screen.substr(screen.rfind("\x1b[H") + 3);
  std::size_t widest = 0, lines = 0, width = 0;
  for (std::size_t i = 0; i < frame.size(); ++i) {
    if (frame[i] == '\x1b') {
      i = frame.find_first_of("mKJ", i);
    } else if (frame[i] == '\n') {
      ++lines;
      width = 0;
    } else if (frame[i] != '\r' && (frame[i] & 0xC0) != 0x80) {
      widest = std::max(widest, ++width);
    }
  }
  return {widest, lines};
}

Words sweep(const TestFolder& folder) {
  return small_sweep(folder, "a", {"-j", "2", "train.steps=150", "train.eval_every=50"});
}

TEST(Watch, EndsWithTheStudyAndTellsEachTrialOnce) {
  const TestFolder folder;
  Started run(sweep(folder));
  while (files(folder / "a", "/journal").empty()) ASSERT_FALSE(run.wait(0.002));
  const Finished watched = run_attune({"status", folder / "a/small", "--watch"});
  EXPECT_EQ(watched.code, 0) << watched.err;
  EXPECT_THAT(watched.out, AllOf(HasSubstr("running (process"), HasSubstr("4 of 4 finished\n"),
                                 Not(HasSubstr("\x1b"))));
  std::map<std::string, int> lines;
  for (std::size_t at = 0, end; (end = watched.out.find('\n', at)) != watched.out.npos;
       at = end + 1)
    EXPECT_EQ(lines[watched.out.substr(at, end - at)]++, 0) << watched.out;
  ASSERT_TRUE(run.wait(60));
  EXPECT_EQ(run.code(), 0);
}

TEST(Watch, FillsNoMoreThanTheScreenOfATerminal) {
  const TestFolder folder;
  for (const auto& [columns, lines] :
       {std::pair<unsigned short, unsigned short>{80, 24}, {120, 9}}) {
    Started run(sweep(folder));
    while (files(folder / "a", "/journal").empty()) ASSERT_FALSE(run.wait(0.002));
    const Finished watched =
        at_a_terminal({"status", folder / "a/small", "--watch"}, columns, lines);
    EXPECT_EQ(watched.code, 0);
    EXPECT_THAT(watched.out, AllOf(HasSubstr("\x1b[H"), HasSubstr("100 %"), HasSubstr("running")));
    const auto [width, height] = extent_of_last_frame(watched.out);
    EXPECT_LE(width, columns);
    EXPECT_LT(height, lines);
    ASSERT_TRUE(run.wait(60));
    remove_tree(folder / "a");
  }
}

TEST(Watch, ReadsOnlyAndEndsAtOnceWhenAskedTo) {
  const TestFolder folder;
  {
    Started run(sweep(folder));
    while (files(folder / "a", "/journal").empty()) ASSERT_FALSE(run.wait(0.002));
    run.signal(SIGTERM);
    ASSERT_TRUE(run.wait(20));
  }
  const auto before = files(folder / "a", "");
  Started watch({"status", folder / "a/small", "--watch"});  // of what has stopped, on and on
  EXPECT_FALSE(watch.wait(1.5));
  watch.signal(SIGINT);
  ASSERT_TRUE(watch.wait(5));
  EXPECT_EQ(watch.code(), 130);
  EXPECT_EQ(before, files(folder / "a", ""));
  const Finished refused = run_attune({"status", folder / "a/small", "--watch", "--json"});
  EXPECT_EQ(refused.code, 2);
}

}  // namespace
}  // namespace attune
