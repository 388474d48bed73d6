#include "cli/progress.h"

#include <gmock/gmock.h>

#include "base/text.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// A screen that keeps all that was written, and a clock that tests turn by hand.
struct Screen {
  std::string text;
  double now = 0;

  Progress::Style style(bool terminal, std::size_t width = 80) {
    Progress::Style style;
    style.terminal = terminal;
    style.width = width;
    style.now = [this] { return now; };
    style.write = [this](std::string_view more) { text += more; };
    return style;
  }
  // What stands on the line that is being redrawn.
  std::string bar() const {
    const auto start = text.rfind('\r');
    const auto end = text.find("\x1b[K", start);
    return start == text.npos ? "" : text.substr(start + 1, end - start - 1);
  }
};

const TrialStarted kStarted{2, 3, "reference-s1-4c1e0aa2", 0, 200};

TEST(Progress, PlainLinesOffATerminal) {
  Screen screen;
  Progress progress(screen.style(false));
  progress(kStarted);
  progress(Stepped{2, 50, 0.5});
  progress(Evaluated{2, 60, {{"val/loss", 0.39}, {"val/accuracy", 0.83}}});
  progress(Checkpointed{2, 60});
  progress(TrialEnded{2, TrialEnded::How::finished, 200, 1.9, {{"test/accuracy", 0.953}}, ""});
  EXPECT_EQ(screen.text,
            "[2/3] reference-s1-4c1e0aa2: 200 steps\n"
            "[2/3] reference-s1-4c1e0aa2: step 60/200  val/loss 0.39  val/accuracy 0.83\n"
            "[2/3] reference-s1-4c1e0aa2 finished at step 200 in 1.9 s  test/accuracy 0.953\n");
}

TEST(Progress, TheBarHasCountsRateEtaAndLoss) {
  Screen screen;
  Progress progress(screen.style(true, 80));
  progress(kStarted);
  screen.now = 2;
  progress(Stepped{2, 100, 0.412});
  EXPECT_THAT(screen.bar(),
              AllOf(StartsWith("[2/3] reference-s1  #"), HasSubstr("100/200"),
                    HasSubstr("50 steps/s"), HasSubstr("ETA 2.0 s"), HasSubstr("loss 0.412")));
}

// A resumed trial's rate counts the steps done by this process alone.
TEST(Progress, TheRateIsThatOfThisProcess) {
  Screen screen;
  Progress progress(screen.style(true, 80));
  TrialStarted resumed = kStarted;
  resumed.from_step = 100;
  progress(resumed);
  EXPECT_THAT(screen.text, HasSubstr("going on at step 100"));
  screen.now = 2;
  progress(Stepped{2, 120, 0.4});
  EXPECT_THAT(screen.bar(), AllOf(HasSubstr("10 steps/s"), HasSubstr("ETA 8.0 s")));
}

TEST(Progress, IsRedrawnAtMostTenTimesASecond) {
  Screen screen;
  Progress progress(screen.style(true));
  progress(kStarted);
  for (int step = 1; step <= 1000; ++step) {
    screen.now = step * 0.001;
    progress(Stepped{2, step, 1.0});
  }
  const auto drawn = std::count(screen.text.begin(), screen.text.end(), '\r');
  EXPECT_GE(drawn, 9);
  EXPECT_LE(drawn, 11);
}

TEST(Progress, FitsEveryWidth) {
  for (const std::size_t width : {40U, 60U, 80U, 120U, 200U}) {
    Screen screen;
    Progress progress(screen.style(true, width));
    progress(kStarted);
    screen.now = 7000;
    progress(Stepped{2, 123, 0.000123456});
    EXPECT_LT(display_width(screen.bar()), width) << screen.bar();
    EXPECT_THAT(screen.bar(), AllOf(StartsWith("[2/3]"), HasSubstr("123/200")));
  }
}

TEST(Progress, ALineThatStaysFirstClearsTheBar) {
  Screen screen;
  {
    Progress progress(screen.style(true));
    progress(kStarted);
    screen.now = 1;
    progress(Stepped{2, 10, 1.0});
    progress(Notice{"made by another build: restarted"});
    EXPECT_THAT(screen.text, EndsWith("\r\x1b[Knote: made by another build: restarted\n"));
    screen.now = 2;
    progress(Stepped{2, 20, 1.0});
  }
  EXPECT_THAT(screen.text, EndsWith("\r\x1b[K")) << "the end leaves no half line";
}

TEST(Progress, AStoppedTrialEndsAtItsLastStep) {
  Screen screen;
  Progress progress(screen.style(false));
  progress(kStarted);
  progress(Stepped{2, 61, 0.5});
  progress(TrialEnded{2, TrialEnded::How::stopped, 0, 1.5, {}, "stopped after step 61"});
  EXPECT_THAT(screen.text, EndsWith("reference-s1-4c1e0aa2 stopped at step 61 in 1.5 s\n"));
}

TEST(Progress, QuietTellsFailuresAlone) {
  Screen screen;
  auto style = screen.style(false);
  style.quiet = true;
  Progress progress(std::move(style));
  progress(kStarted);
  progress(Evaluated{2, 60, {{"val/loss", 0.39}}});
  progress(TrialEnded{2, TrialEnded::How::finished, 200, 1, {}, ""});
  EXPECT_EQ(screen.text, "");
  progress(kStarted);
  progress(TrialEnded{2, TrialEnded::How::failed, 7, 1, {}, "out of memory"});
  EXPECT_THAT(screen.text, AllOf(HasSubstr("failed at step 7"), HasSubstr("out of memory")));
}

}  // namespace
}  // namespace attune
