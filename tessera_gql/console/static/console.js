// Small conveniences; every page works without this file.
document.documentElement.dataset.js = "on";
