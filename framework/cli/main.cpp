#include "cli/session.h"
#include "kinds.h"

int main(int argc, char** argv) {
  return attune::run_program({argv + 1, argv + argc}, attune::experiment_kinds());
}
