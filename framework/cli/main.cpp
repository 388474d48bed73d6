#include "base/process.h"
#include "cli/session.h"
#include "experiments/kinds.h"

int main(int argc, char** argv) {
  attune::prepare_process();
  return attune::run_program({argv + 1, argv + argc}, attune::all_kinds());
}
