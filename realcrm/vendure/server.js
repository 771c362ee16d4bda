// A Vendure server on loopback whose database is in memory.
const { bootstrap, DefaultLogger, LogLevel } = require('@vendure/core');

bootstrap({
	apiOptions: { hostname: '127.0.0.1', port: Number(process.env.PORT), adminApiPath: 'admin-api', shopApiPath: 'shop-api' },
	authOptions: {
		tokenMethod: ['bearer', 'cookie'],
		superadminCredentials: { identifier: 'superadmin', password: process.env.SUPERADMIN_PASSWORD },
		cookieOptions: { secret: 'loopback' },
	},
	dbConnectionOptions: { type: 'sqljs', synchronize: true, autoSave: false },
	paymentOptions: { paymentMethodHandlers: [] },
	logger: new DefaultLogger({ level: LogLevel.Error }),
	plugins: [],
}).catch((error) => {
	console.error(error);
	process.exit(1);
});
