// Before anything is drawn: light or dark as chosen here, else as the system has it.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const chosen = localStorage.getItem("sightline-theme");
    document.documentElement.dataset.theme = chosen ?? (system.matches ? "dark" : "light");
    window.dispatchEvent(new Event("themechange"));
  };
  system.addEventListener("change", apply);
  window.toggleTheme = () => {
    const now = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    const asSystem = (now === "dark") === system.matches;
    if (asSystem) localStorage.removeItem("sightline-theme");
    else localStorage.setItem("sightline-theme", now);
    apply();
    return now;
  };
  apply();
})();
