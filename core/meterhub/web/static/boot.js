// Runs before the first paint: says that scripts work, so that pages can hide what is only for browsers without.
document.documentElement.classList.add("js");
